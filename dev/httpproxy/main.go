// Command httpproxy answers which proxy Go programs use. It reads one JSON object for each line,
// {"environment": {"HTTPS_PROXY": "..."}, "url": "https://..."}, and writes the proxy's URL, or an
// empty line for none.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net/url"
	"os"

	"golang.org/x/net/http/httpproxy"
)

type question struct {
	Environment map[string]string `json:"environment"`
	URL         string            `json:"url"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer(asked))
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

func answer(asked question) string {
	os.Clearenv()
	for name, value := range asked.Environment {
		if err := os.Setenv(name, value); err != nil {
			log.Fatal(err)
		}
	}
	target, err := url.Parse(asked.URL)
	if err != nil {
		log.Fatal(err)
	}
	proxy, err := httpproxy.FromEnvironment().ProxyFunc()(target)
	if err != nil {
		log.Fatal(err)
	}
	if proxy == nil {
		return ""
	}
	return proxy.String()
}
