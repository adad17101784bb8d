import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;

/** PostgreSQL's JDBC driver: a java.net.Socket that blocks. */
public final class JdbcAgent {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://" + arguments[0] + ":" + arguments[1]
            + "/postgres?user=app&sslmode=disable&gssEncMode=disable&socketTimeout=10";
        try (Connection connection = DriverManager.getConnection(url);
             PreparedStatement get = connection.prepareStatement("select substr(b, ?, ?) from base");
             PreparedStatement post = connection.prepareStatement("select encode(sha256(?), 'hex')")) {
            Base.run(arguments, (verb, seed, data) -> {
                boolean hash = verb.equals("post");
                PreparedStatement statement = hash ? post : get;
                if (hash) {
                    statement.setBytes(1, data);
                } else {
                    statement.setInt(1, seed + 1);
                    statement.setInt(2, data.length);
                }
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    return hash ? rows.getString(1).getBytes(StandardCharsets.US_ASCII) : rows.getBytes(1);
                }
            });
        }
    }
}
