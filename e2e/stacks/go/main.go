// The contract's server and client with Go's net/http.
//
//	go serve ADDRESS:PORT BASE
//	go client ADDRESS PORT BASE OPERATIONS SECONDS
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

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

func serve(address, path string) error {
	base, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	http.HandleFunc("GET /bytes/{size}", func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.PathValue("size"))
		seed, _ := strconv.Atoi(r.URL.Query().Get("seed"))
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.Write(base[seed : seed+size])
	})
	http.HandleFunc("POST /hash", func(w http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		if _, err := io.Copy(hash, r.Body); err != nil {
			return
		}
		io.WriteString(w, hex.EncodeToString(hash.Sum(nil)))
	})
	return http.ListenAndServe(address, nil)
}

func client(arguments []string) error {
	url := "http://" + arguments[0] + ":" + arguments[1]
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
	client := &http.Client{Timeout: 10 * time.Second}
	out := bufio.NewWriter(os.Stdout)
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for first := true; first || time.Now().Before(end); first = false {
		for _, line := range lines {
			if !first && !time.Now().Before(end) {
				break
			}
			var verb string
			var size, seed int
			fmt.Sscan(line, &verb, &size, &seed)
			start := time.Now()
			if err := perform(client, url, verb, base[seed:seed+size], seed); err != nil {
				fmt.Fprintln(out, "bad", strings.ReplaceAll(err.Error(), "\n", " "))
				out.Flush()
				return nil
			}
			fmt.Fprintf(out, "ok %.1f\n", float64(time.Since(start).Microseconds())/1000)
			out.Flush()
		}
	}
	return nil
}

func perform(client *http.Client, url, verb string, data []byte, seed int) error {
	var answer *http.Response
	var err error
	if verb == "post" {
		answer, err = client.Post(url+"/hash", "application/octet-stream", bytes.NewReader(data))
	} else {
		answer, err = client.Get(fmt.Sprintf("%s/bytes/%d?seed=%d", url, len(data), seed))
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return errors.New(answer.Status)
	}
	if verb == "abort" {
		_, err := io.ReadFull(answer.Body, make([]byte, min(1000, len(data))))
		return err
	}
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	expected := data
	if verb == "post" {
		sum := sha256.Sum256(data)
		expected = []byte(hex.EncodeToString(sum[:]))
	}
	if !bytes.Equal(got, expected) {
		return fmt.Errorf("%d bytes that are not the %d expected", len(got), len(expected))
	}
	return nil
}
