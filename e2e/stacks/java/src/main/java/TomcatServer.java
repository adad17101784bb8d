import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/** Tomcat's NIO connector: ADDRESS PORT BASE FOLDER. */
public final class TomcatServer {
    public static void main(String[] arguments) throws Exception {
        Base.load(arguments[2]);
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(arguments[3]);
        Connector connector = new Connector();
        connector.setPort(Integer.parseInt(arguments[1]));
        connector.setProperty("address", arguments[0]);
        connector.setProperty("maxKeepAliveRequests", "-1");
        connector.setProperty("maxSwallowSize", "-1");
        connector.setProperty("keepAliveTimeout", "60000");
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", new File(arguments[3]).getAbsolutePath());
        Tomcat.addServlet(context, "base", new HttpServlet() {
            @Override
            protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
                String path = request.getRequestURI();
                int size = Integer.parseInt(path.substring(path.lastIndexOf('/') + 1));
                answer(response, Base.piece(size, Integer.parseInt(request.getParameter("seed"))));
            }

            @Override
            protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
                try {
                    answer(response, Base.hash(request.getInputStream().readAllBytes()));
                } catch (IOException error) {
                    throw error;
                } catch (Exception error) {
                    throw new IOException(error);
                }
            }

            private void answer(HttpServletResponse response, byte[] body) throws IOException {
                response.setContentLength(body.length);
                response.getOutputStream().write(body);
            }
        });
        context.addServletMappingDecoded("/", "base");
        tomcat.start();
        tomcat.getServer().await();
    }
}
