// Command loadgen sends TokenReviews to a webhook as kube-apiserver does, over HTTPS/1.1 with
// keep-alive, and prints as JSON what came back and how fast.
//
// Each -stream is one kind of caller, and all streams run at once:
//
//	-stream name=users,tokens=new,callers=50,rate=50,connections=8
//
//	tokens       new (each token once), pool (a fixed set again and again),
//	             forged (well-formed, signed by nobody), foreign (a ServiceAccount's JWT),
//	             listed (the lines of -tokens, each once)
//	callers      how many access keys the tokens come from, or how many tokens a pool has
//	first        number of the first of those callers, so that streams need not share them
//	connections  how many connections carry the stream, one review at a time on each
//	rate         reviews a second offered, whatever the answers take; latency then counts from
//	             when a review was due. Without it each connection asks as soon as it is answered
//	after        a stream with a rate begins so long after the others
//	askers, within  each token is asked by so many API servers within this duration (needs rate)
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("loadgen: ")
	var streams streamFlags
	url := flag.String("url", "", "the webhook, https://HOST:PORT/PATH")
	ca := flag.String("ca", "", "file with the webhook's CA certificate")
	cluster := flag.String("cluster", "", "cluster id that the tokens are for")
	tokens := flag.String("tokens", "", "file with a token and its user's name in each line")
	warmup := flag.Duration("warmup", time.Second, "what is sent in this time at first does not count")
	duration := flag.Duration("duration", 5*time.Second, "what is sent in this time counts")
	flag.Var(&streams, "stream", "name=..,tokens=new|pool|forged|foreign|listed[,callers=..][,connections=..]"+
		"[,first=..][,rate=..][,after=..][,askers=..,within=..] (repeatable)")
	flag.Parse()
	dial, err := newDialer(*url, *ca)
	if err != nil {
		log.Fatal(err)
	}
	if len(streams) == 0 {
		log.Fatal("nothing to send: give a -stream")
	}
	listed, err := readTokens(*tokens)
	if err != nil {
		log.Fatal(err)
	}
	window := window{start: time.Now().Add(*warmup), length: *duration, warmup: *warmup}
	result := report{Streams: run(streams, dial, *cluster, listed, window)}
	result.CPUSeconds = cpuSeconds()
	json.NewEncoder(os.Stdout).Encode(result)
}

func cpuSeconds() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

// window is when what is sent counts.
type window struct {
	start          time.Time
	length, warmup time.Duration
}

func (w window) end() time.Time             { return w.start.Add(w.length) }
func (w window) begin() time.Time           { return w.start.Add(-w.warmup) }
func (w window) counts(sent time.Time) bool { return !sent.Before(w.start) && sent.Before(w.end()) }

func run(streams []stream, dial *dialer, cluster string, listed []review, window window) []summary {
	summaries := make([]summary, len(streams))
	var all sync.WaitGroup
	for i, s := range streams {
		all.Go(func() { summaries[i] = s.run(dial, cluster, listed, window) })
	}
	all.Wait()
	return summaries
}

// run sends the stream over its connections and gathers the answers.
func (s stream) run(dial *dialer, cluster string, listed []review, window window) summary {
	source := newSource(s, cluster, listed)
	next := s.arrivals(source, window)
	records := make([]record, s.connections)
	var workers sync.WaitGroup
	for i := range records {
		workers.Go(func() {
			client := &client{dialer: dial}
			defer client.close()
			for review, due, more := next(); more; review, due, more = next() {
				outcome := client.ask(review)
				records[i].add(window, due, time.Now(), outcome)
			}
		})
	}
	workers.Wait()
	return summarise(s.name, records, window)
}

func newDialer(url, ca string) (*dialer, error) {
	rest, secure := strings.CutPrefix(url, "https://")
	address, path, found := strings.Cut(rest, "/")
	if !secure || !found {
		return nil, errors.New("-url must be https://HOST:PORT/PATH")
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("-ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("-ca: %s holds no certificate", ca)
	}
	host, _, _ := strings.Cut(address, ":")
	config := &tls.Config{RootCAs: roots, ServerName: host, NextProtos: []string{"http/1.1"}}
	return &dialer{address: address, path: "/" + path, config: config}, nil
}
