// gRPC without a schema: messages are bytes. One bidirectional stream, a message up, a message down.
//
//	grpc serve ADDRESS:PORT BASE
//	grpc client ADDRESS PORT BASE OPERATIONS SECONDS
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const method = "/stacks.Base/Talk"
const largest = 16 << 20

type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (raw) Name() string                       { return "proto" }

func main() {
	var err error
	switch os.Args[1] {
	case "serve":
		err = serve(os.Args[2], os.Args[3])
	case "client":
		err = client(os.Args[2:])
	default:
		err = errors.New("serve or client")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func hash(data []byte) []byte {
	sum := sha256.Sum256(data)
	return []byte(hex.EncodeToString(sum[:]))
}

func serve(address, path string) error {
	base, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	talk := func(_ any, stream grpc.ServerStream) error {
		for {
			var request []byte
			if err := stream.RecvMsg(&request); err != nil {
				return nil
			}
			var answer []byte
			if data, ok := bytes.CutPrefix(request, []byte("hash")); ok {
				answer = hash(data)
			} else {
				var size, seed int
				fmt.Sscanf(string(request), "bytes %d %d", &size, &seed)
				answer = base[seed : seed+size]
			}
			if err := stream.SendMsg(&answer); err != nil {
				return err
			}
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(largest), grpc.MaxSendMsgSize(largest))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "stacks.Base",
		HandlerType: (*any)(nil),
		Streams:     []grpc.StreamDesc{{StreamName: "Talk", Handler: talk, ServerStreams: true, ClientStreams: true}},
	}, nil)
	return server.Serve(listener)
}

func client(arguments []string) error {
	base, err := os.ReadFile(arguments[2])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(arguments[3])
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(arguments[4], 64)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient("passthrough:///"+net.JoinHostPort(arguments[0], arguments[1]),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(largest), grpc.MaxCallSendMsgSize(largest)))
	if err != nil {
		return err
	}
	defer connection.Close()
	description := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := connection.NewStream(context.Background(), description, method)
	if err != nil {
		return err
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for first := true; first || time.Now().Before(end); first = false {
		for _, line := range lines {
			if !first && !time.Now().Before(end) {
				return nil
			}
			var verb string
			var size, seed int
			fmt.Sscan(line, &verb, &size, &seed)
			start := time.Now()
			if err := perform(stream, verb, base[seed:seed+size], seed); err != nil {
				fmt.Println("bad", strings.ReplaceAll(err.Error(), "\n", " "))
				return nil
			}
			fmt.Printf("ok %.1f\n", float64(time.Since(start).Microseconds())/1000)
		}
	}
	return nil
}

func perform(stream grpc.ClientStream, verb string, data []byte, seed int) error {
	request, expected := []byte(fmt.Sprintf("bytes %d %d", len(data), seed)), data
	if verb == "post" {
		request, expected = append([]byte("hash"), data...), hash(data)
	}
	if err := stream.SendMsg(&request); err != nil {
		return err
	}
	var got []byte
	if err := stream.RecvMsg(&got); err != nil {
		return err
	}
	if !bytes.Equal(got, expected) {
		return fmt.Errorf("%d bytes that are not the %d expected", len(got), len(expected))
	}
	return nil
}
