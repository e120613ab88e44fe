import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Java's own HttpClient, with its defaults: it offers HTTP/2 with every first request. Files are asked for their length, read in parts at
 * the same time and whole onto disk; pages are followed by their links.
 *
 * <p>Run with {@code java tests/clients/java/Files.java http://127.0.0.1:8080}.
 */
public final class Files {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static final int PARTS = 5;

    private Files() {}

    private static void same(String what, Object found, Object expected) {
        if (!expected.equals(found)) {
            throw new AssertionError(what + ": expected " + expected + ", found " + found);
        }
    }

    private static HttpRequest.Builder request(String address) {
        return HttpRequest.newBuilder(URI.create(address)).timeout(Duration.ofSeconds(120));
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    private static String header(HttpResponse<?> answer, String name) {
        return answer.headers().firstValue(name).orElse("");
    }

    private static HttpResponse<byte[]> part(String address, long first, long last, String begun) throws Exception {
        HttpRequest.Builder request = request(address).header("Range", "bytes=" + first + "-" + last);
        return CLIENT.send(request.header("If-Range", begun).build(), BodyHandlers.ofByteArray());
    }

    private static void file(String address, Path folder) throws Exception {
        HttpRequest asked = request(address).method("HEAD", HttpRequest.BodyPublishers.noBody()).build();
        HttpResponse<Void> head = CLIENT.send(asked, BodyHandlers.discarding());
        same("the status of HEAD", head.statusCode(), 200);
        same("Accept-Ranges", header(head, "Accept-Ranges"), "bytes");
        long length = Long.parseLong(header(head, "Content-Length"));
        String tag = header(head, "ETag");

        HttpResponse<Path> saved = CLIENT.send(request(address).build(), BodyHandlers.ofFile(folder.resolve("whole")));
        byte[] whole = java.nio.file.Files.readAllBytes(saved.body());
        // The next would be written over it, and its end would remain.
        java.nio.file.Files.delete(saved.body());
        same("the length", (long) whole.length, length);
        same("the tag", header(saved, "ETag"), tag);

        List<CompletableFuture<HttpResponse<byte[]>>> parts = new ArrayList<>();
        long step = length / PARTS + 1;
        for (long first = 0; first < length; first += step) {
            HttpRequest.Builder request = request(address).header("Range", "bytes=" + first + "-" + (first + step - 1));
            parts.add(CLIENT.sendAsync(request.build(), BodyHandlers.ofByteArray()));
        }
        ByteArrayOutputStream together = new ByteArrayOutputStream();
        for (CompletableFuture<HttpResponse<byte[]>> part : parts) {
            same("the status of a part", part.get().statusCode(), 206);
            together.write(part.get().body());
        }
        same("the parts", Arrays.equals(together.toByteArray(), whole), true);
        same("a part of this file", part(address, 0, 3, tag).statusCode(), 206);
        HttpResponse<byte[]> other = part(address, 0, 3, "\"another\"");
        same("a part of another file", other.statusCode(), 200);
        same("the whole instead", Arrays.equals(other.body(), whole), true);
        same("behind the end", part(address, length, length + 3, tag).statusCode(), 416);
    }

    private static void pages(String root) throws Exception {
        Pattern next = Pattern.compile("\"@odata.nextLink\":\"([^\"]+)\"");
        String link = root + "/odata/jobindsats/y25i01/Kommuner?$filter=" + encoded("Periode ge '2025M01'");
        String filter = link.substring(link.indexOf('?'));
        String counted = root + "/odata/jobindsats/y25i01/Kommuner/$count" + filter;
        String count = CLIENT.send(request(counted).build(), BodyHandlers.ofString()).body();
        int rows = 0;
        while (link != null) {
            HttpResponse<String> page = CLIENT.send(request(link).build(), BodyHandlers.ofString());
            same("the status of a page", page.statusCode(), 200);
            rows += page.body().split("\"Periode\":", -1).length - 1;
            Matcher found = next.matcher(page.body());
            link = found.find() ? found.group(1).replace("\\/", "/") : null;
        }
        same("the rows of all pages", String.valueOf(rows), count.replace("\ufeff", ""));
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 1) {
            throw new IllegalArgumentException("usage: java Files.java http://host:port");
        }
        String root = arguments[0].replaceAll("/$", "");
        Path folder = java.nio.file.Files.createTempDirectory("files");
        try {
            String recent = "?$filter=" + encoded("Periode ge '2024M01'");
            file(root + "/export/y25i01/Kommuner.csv" + recent, folder);
            file(root + "/export/y25i01/" + encoded("Fordelt_på_Herkomst") + ".parquet" + recent, folder);
            pages(root);
        } finally {
            java.nio.file.Files.deleteIfExists(folder.resolve("whole"));
            java.nio.file.Files.delete(folder);
        }
        System.out.println("files were sought in, and pages followed");
    }
}
