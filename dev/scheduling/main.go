// Command scheduling answers whether a pod's affinity selects a node, and which taint keeps it away.
// It reads one JSON object for each line, {"pod": Pod, "node": Node}, and writes
// {"selected": true, "untolerated": "key=value:effect"} for each.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"k8s.io/api/core/v1"
	corev1 "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

type question struct {
	Pod  v1.Pod  `json:"pod"`
	Node v1.Node `json:"node"`
}

type answer struct {
	Selected    bool   `json:"selected"`
	Untolerated string `json:"untolerated"`
}

func main() {
	questions := json.NewDecoder(os.Stdin)
	questions.DisallowUnknownFields()
	answers := json.NewEncoder(os.Stdout)
	for {
		var asked question
		err := questions.Decode(&asked)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		if err := answers.Encode(judge(&asked.Pod, &asked.Node)); err != nil {
			log.Fatal(err)
		}
	}
}

func judge(pod *v1.Pod, node *v1.Node) answer {
	selected, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node)
	if err != nil {
		log.Fatal(err)
	}
	taint, found := corev1.FindMatchingUntoleratedTaint(
		klog.Background(), node.Spec.Taints, pod.Spec.Tolerations, keepsPodsAway, false)
	if !found {
		return answer{selected, ""}
	}
	return answer{selected, taint.ToString()}
}

// keepsPodsAway tells whether a taint can, as the scheduler's plugin TaintToleration does.
func keepsPodsAway(taint *v1.Taint) bool {
	return taint.Effect == v1.TaintEffectNoSchedule || taint.Effect == v1.TaintEffectNoExecute
}
