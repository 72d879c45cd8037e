package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// What kube-apiserver grants a webhook call.
const patience = 30 * time.Second

const pause = 10 * time.Millisecond

// dialer knows where the webhook is.
type dialer struct {
	address, path string
	config        *tls.Config
}

// client is one keep-alive connection, opened again when it was lost. net/http's client hands
// each request through two goroutines; this one leaves more of the machine to the server.
type client struct {
	dialer *dialer
	conn   *tls.Conn
	reader *bufio.Reader
}

// review is a TokenReview on its way, and whom it must log in as ("" for nobody).
type review struct {
	token, username string
}

type answer struct {
	Status struct {
		Authenticated bool
		User          struct{ Username string }
	}
}

// ask gives the outcome in one word: authenticated, denied, wrong user, HTTP 403, timeout ...
func (c *client) ask(r review) string {
	if c.conn == nil {
		if err := c.open(); err != nil {
			// Whoever is turned away at the door does not knock a thousand times a second.
			time.Sleep(pause)
			return "no connection"
		}
	}
	c.conn.SetDeadline(time.Now().Add(patience))
	response, body, err := c.exchange(r)
	if err != nil {
		c.close()
		if os.IsTimeout(err) {
			return "timeout"
		}
		return "connection lost"
	}
	if response.Close {
		c.close()
	}
	return judge(response.StatusCode, body, r.username)
}

func (c *client) open() error {
	plain := &net.Dialer{Timeout: patience}
	conn, err := tls.DialWithDialer(plain, "tcp", c.dialer.address, c.dialer.config)
	if err != nil {
		return err
	}
	c.conn, c.reader = conn, bufio.NewReader(conn)
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *client) exchange(r review) (*http.Response, []byte, error) {
	body := `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1beta1",` +
		`"metadata":{"creationTimestamp":null},"spec":{"token":"` + r.token +
		`","audiences":["https://kubernetes.default.svc.cluster.local"]},"status":{"user":{}}}` + "\n"
	head := "POST " + c.dialer.path + "?timeout=30s HTTP/1.1\r\nHost: " + c.dialer.address +
		"\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: " + strconv.Itoa(len(body)) +
		"\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\n\r\n"
	if _, err := io.WriteString(c.conn, head+body); err != nil {
		return nil, nil, err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response, text, err
}

func judge(status int, body []byte, username string) string {
	if status != http.StatusOK {
		return fmt.Sprintf("HTTP %d", status)
	}
	var got answer
	if err := json.Unmarshal(body, &got); err != nil {
		return "not a TokenReview"
	}
	switch {
	case !got.Status.Authenticated:
		return "denied"
	case got.Status.User.Username != username:
		return "wrong user"
	}
	return "authenticated"
}
