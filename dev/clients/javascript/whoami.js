// Prints who the cluster takes us for: the official JavaScript client.
import { AuthenticationV1Api, KubeConfig } from "@kubernetes/client-node";

const config = new KubeConfig();
config.loadFromFile(process.argv[2]);
const api = config.makeApiClient(AuthenticationV1Api);
const body = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
const review = await api.createSelfSubjectReview({ body });
console.log(review.status.userInfo.username);
