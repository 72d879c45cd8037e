package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"
)

var stsAddress = regexp.MustCompile(`^sts\.([a-z0-9-]+\.)?amazonaws\.com:443$`)

// authority is a CA that lives as long as the process.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	pem         []byte
	lock        sync.Mutex
	leaves      map[string]*tls.Certificate
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate("benchmark CA")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &authority{key: key, certificate: parsed, pem: text, leaves: map[string]*tls.Certificate{}}, nil
}

func certificate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

// leaf gives the certificate for the host that the client names, made once.
func (a *authority) leaf(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if known, ok := a.leaves[hello.ServerName]; ok {
		return known, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(hello.ServerName)
	template.DNSNames = []string{hello.ServerName}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	made := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	a.leaves[hello.ServerName] = made
	return made, nil
}

// tunnels is a listener whose connections come out of CONNECT requests.
type tunnels struct {
	config   *tls.Config
	accepted chan net.Conn
}

func newTunnels(a *authority) *tunnels {
	config := &tls.Config{
		GetCertificate: a.leaf,
		// STS speaks HTTP/1.1.
		NextProtos: []string{"http/1.1"},
		// The double shares its cores with what is measured: the cheapest handshake.
		CurvePreferences: []tls.CurveID{tls.X25519},
	}
	return &tunnels{config: config, accepted: make(chan net.Conn)}
}

func (t *tunnels) connect(w http.ResponseWriter, r *http.Request) {
	if !stsAddress.MatchString(r.Host) {
		http.Error(w, "only STS is here", http.StatusForbidden)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection Established\r\n\r\n")); err != nil {
		conn.Close()
		return
	}
	t.accepted <- tls.Server(conn, t.config)
}

func (t *tunnels) Accept() (net.Conn, error) {
	if conn, open := <-t.accepted; open {
		return conn, nil
	}
	return nil, errors.New("closed")
}

func (t *tunnels) Close() error   { return nil }
func (t *tunnels) Addr() net.Addr { return &net.TCPAddr{} }
