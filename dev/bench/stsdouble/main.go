// Command stsdouble stands in for AWS STS on loopback: an HTTPS proxy that ends the tunnel
// itself, with a certificate of its own CA. Clients come with HTTPS_PROXY and that CA.
//
// It verifies SigV4, keeps STS's quota when told to, and fails when told to. The same port
// takes GET /counts, and POST /behave?latency=20ms&rate=600&burst=600&fault=hang, which also
// sets the counts back to nothing.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

func main() {
	directory := flag.String("dir", "", "where to write ca.pem")
	flag.Parse()
	log.SetFlags(0)
	authority, err := newAuthority()
	if err != nil {
		log.Fatalf("stsdouble: cannot make a CA: %v", err)
	}
	if err := os.WriteFile(filepath.Join(*directory, "ca.pem"), authority.pem, 0o600); err != nil {
		log.Fatalf("stsdouble: cannot write the CA's certificate: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatalf("stsdouble: cannot listen: %v", err)
	}
	service := newService()
	tunnels := newTunnels(authority)
	// A client that gives up on a handshake or a hang is what the faults are for: no log line.
	quiet := log.New(os.Stderr, "", 0)
	quiet.SetOutput(discard{})
	go func() { log.Fatal((&http.Server{Handler: service, ErrorLog: quiet}).Serve(tunnels)) }()
	fmt.Println(listener.Addr())
	log.Fatal((&http.Server{Handler: front(tunnels, service), ErrorLog: quiet}).Serve(listener))
}

// front sorts what comes to the port: tunnels for clients, the rest for the benchmark.
func front(tunnels *tunnels, service *service) http.Handler {
	control := http.NewServeMux()
	control.HandleFunc("GET /counts", service.serveCounts)
	control.HandleFunc("POST /behave", service.serveBehave)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			service.connected()
			tunnels.connect(w, r)
			return
		}
		control.ServeHTTP(w, r)
	})
}

type discard struct{}

func (discard) Write(line []byte) (int, error) { return len(line), nil }
