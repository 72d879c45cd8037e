import io.kubernetes.client.openapi.apis.AuthenticationV1Api;
import io.kubernetes.client.openapi.models.V1SelfSubjectReview;
import io.kubernetes.client.util.ClientBuilder;
import io.kubernetes.client.util.KubeConfig;
import java.io.File;
import java.io.FileReader;

/** Prints who the cluster takes us for: the official Java client. */
final class Official {
  public static void main(String[] arguments) throws Exception {
    KubeConfig config = KubeConfig.loadKubeConfig(new FileReader(arguments[0]));
    config.setFile(new File(arguments[0]));
    AuthenticationV1Api api =
        new AuthenticationV1Api(ClientBuilder.kubeconfig(config).build());
    V1SelfSubjectReview review =
        api.createSelfSubjectReview(new V1SelfSubjectReview()).execute();
    System.out.println(review.getStatus().getUserInfo().getUsername());
    System.exit(0);
  }
}
