// Command oracle answers what the Go reference makes of mapping documents.
//
// It reads one question a line from standard input and writes one answer a line to standard output,
// both as JSON (types below). The reference's own code does everything between: its configuration,
// parsers and mappers read the documents, and its HTTP handler verifies a token, asks the mappers,
// renders templates and builds the TokenReview. Only AWS is simulated: STS by the HTTP transport, EC2
// by a table.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
)

// Question is a chain of sources, what they hold one after the other, and who asks then.
type Question struct {
	// Modes are the sources in order, as `backendMode` has them.
	Modes []string `json:"modes"`
	// Strict is `dynamicfileUserIDStrict`.
	Strict bool `json:"strict"`
	// Steps are the documents; each step replaces the one before.
	Steps []Step `json:"steps"`
	// Callers are asked for after the last step.
	Callers []Caller `json:"callers"`
}

// Step is what each source holds at one time; null for a document that does not exist.
type Step struct {
	// Config is the config file, in base64 as all files are.
	Config []byte `json:"config"`
	// AwsAuth is the data of the ConfigMap aws-auth.
	AwsAuth *map[string]string `json:"awsAuth"`
	// Objects are the IAMIdentityMappings by name.
	Objects map[string]json.RawMessage `json:"objects"`
	// Dynamic is the dynamic file.
	Dynamic []byte `json:"dynamic"`
}

// Caller is one AWS identity, as STS describes it, and the access key that signed.
type Caller struct {
	Arn         string `json:"arn"`
	Account     string `json:"account"`
	UserID      string `json:"userId"`
	AccessKeyID string `json:"accessKeyId"`
	// Token is what the caller sends; "" for a token as clients make it.
	Token string `json:"token"`
}

// Answer holds, for each caller, every answer that the reference may give: more than one where it
// depends on the order of a Go map.
type Answer struct {
	// Refusal says why the reference does not start with these documents; "" if it does.
	Refusal string      `json:"refusal"`
	Callers [][]Outcome `json:"callers"`
}

// Outcome is one answer to a TokenReview.
type Outcome struct {
	Status int `json:"status"`
	// User is `status.user` of the TokenReview; null if it is not authenticated.
	User json.RawMessage `json:"user"`
}

func main() {
	reference, err := newReference()
	if err != nil {
		log.Fatal(err)
	}
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(out)
	for in.More() {
		var question Question
		if err := in.Decode(&question); err != nil {
			log.Fatal(err)
		}
		answer, err := reference.answer(question)
		if err != nil {
			log.Fatal(err)
		}
		if err := answers.Encode(answer); err != nil {
			log.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}
