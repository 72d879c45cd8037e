import io.fabric8.kubernetes.api.model.authentication.SelfSubjectReview;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.File;

/** Prints who the cluster takes us for: fabric8's Java client. */
final class Fabric8 {
  public static void main(String[] arguments) {
    Config config = Config.fromKubeconfig(new File(arguments[0]));
    try (KubernetesClient client = new KubernetesClientBuilder().withConfig(config).build()) {
      SelfSubjectReview review = client.resource(new SelfSubjectReview()).create();
      System.out.println(review.getStatus().getUserInfo().getUsername());
    }
    System.exit(0);
  }
}
