import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** java.net.http.HttpClient, HTTP/1.1. */
public final class HttpClientAgent {
    public static void main(String[] arguments) throws Exception {
        String url = "http://" + arguments[0] + ":" + arguments[1];
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        Base.run(arguments, (verb, seed, data) -> {
            boolean post = verb.equals("post");
            HttpRequest.Builder request = HttpRequest.newBuilder().timeout(Duration.ofSeconds(10));
            if (post) {
                request.uri(URI.create(url + "/hash")).POST(HttpRequest.BodyPublishers.ofByteArray(data));
            } else {
                request.uri(URI.create(url + "/bytes/" + data.length + "?seed=" + seed));
            }
            if (verb.equals("abort")) {
                HttpResponse<InputStream> answer = client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
                try (InputStream body = answer.body()) {
                    body.readNBytes(1000);
                }
                return null;
            }
            HttpResponse<byte[]> answer = client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
            if (answer.statusCode() != 200) {
                throw new Exception("status " + answer.statusCode());
            }
            return answer.body();
        });
        System.exit(0);
    }
}
