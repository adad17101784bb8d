import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/** The contract: the base, hashes, and a client's loop over its operations. */
final class Base {
    static byte[] bytes;

    private Base() {}

    interface Call {
        byte[] perform(String verb, int seed, byte[] data) throws Exception;
    }

    static byte[] piece(int size, int seed) {
        return Arrays.copyOfRange(bytes, seed, seed + size);
    }

    static byte[] hash(byte[] data) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(data);
        return HexFormat.of().formatHex(digest).getBytes(StandardCharsets.US_ASCII);
    }

    static void load(String path) throws Exception {
        bytes = Files.readAllBytes(Path.of(path));
    }

    /** ADDRESS PORT BASE OPERATIONS SECONDS. */
    static void run(String[] arguments, Call call) throws Exception {
        load(arguments[2]);
        List<String> lines = Files.readAllLines(Path.of(arguments[3]));
        long end = System.nanoTime() + (long) (Double.parseDouble(arguments[4]) * 1e9);
        PrintStream out = new PrintStream(System.out, true);
        for (boolean first = true; first || System.nanoTime() < end; first = false) {
            for (String line : lines) {
                if (!first && System.nanoTime() >= end) {
                    return;
                }
                String[] words = line.split(" ");
                byte[] data = piece(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
                long start = System.nanoTime();
                try {
                    byte[] got = call.perform(words[0], Integer.parseInt(words[2]), data);
                    byte[] expected = words[0].equals("post") ? hash(data) : data;
                    if (got != null && !Arrays.equals(got, expected)) {
                        throw new Exception(got.length + " bytes that are not the " + expected.length + " expected");
                    }
                } catch (Exception error) {
                    out.println("bad " + error.toString().replace('\n', ' '));
                    return;
                }
                out.println(String.format("ok %.1f", (System.nanoTime() - start) / 1e6));
            }
        }
    }
}
