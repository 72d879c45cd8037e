package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"dev/bench/sts"
)

// source makes the review with a serial number.
type source func(serial int) review

// A session token of AWS has some hundred characters.
const sessionTokenLength = 400

// How many foreign tokens take turns; nothing remembers them, so few will do.
const foreignTokens = 500

func newSource(s stream, cluster string, listed []review) source {
	fresh := func(serial int) review { return mint(serial, s, cluster) }
	switch s.tokens {
	case "pool":
		return fixed(s.callers, fresh)
	case "forged":
		return func(serial int) review { return forge(fresh(serial)) }
	case "foreign":
		return fixed(foreignTokens, foreign)
	case "listed":
		return func(serial int) review {
			// To begin again would be another load: tokens that the server knows.
			if serial >= len(listed) {
				log.Fatalf("tokens=listed: all %d tokens are used up, give more", len(listed))
			}
			return listed[serial]
		}
	}
	return fresh
}

func readTokens(path string) ([]review, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("-tokens: %w", err)
	}
	var listed []review
	for line := range strings.Lines(string(text)) {
		token, username, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found {
			return nil, fmt.Errorf("-tokens: %s: a line is not a token and a user's name", path)
		}
		listed = append(listed, review{token: token, username: username})
	}
	return listed, nil
}

func fixed(size int, one source) source {
	pool := make([]review, size)
	for i := range pool {
		pool[i] = one(i)
	}
	return func(serial int) review { return pool[serial%size] }
}

// mint makes a token that no other serial number has: callers take turns, and each comes with
// another session every time.
func mint(serial int, s stream, cluster string) review {
	caller := sts.Caller(s.first + serial%s.callers)
	session := fmt.Sprintf("session %d of ", serial/s.callers)
	session += strings.Repeat("x", sessionTokenLength-len(session))
	session = base64.StdEncoding.EncodeToString([]byte(session))[:sessionTokenLength]
	url := sts.Presign(caller, session, cluster, time.Now())
	return review{token: encode(url), username: caller.Username()}
}

func encode(url string) string {
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(url))
}

// forge keeps everything but the signature, which only STS can tell from a good one.
func forge(r review) review {
	url, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(r.token, "k8s-aws-v1."))
	unsigned, _, _ := strings.Cut(string(url), "&X-Amz-Signature=")
	signature := make([]byte, 32)
	rand.Read(signature)
	return review{token: encode(unsigned + "&X-Amz-Signature=" + hex.EncodeToString(signature))}
}

// foreign makes what falls through to the webhook when a ServiceAccount's token has expired.
func foreign(serial int) review {
	header := `{"alg":"RS256","kid":"Zm9yZWlnbiBrZXkgb2YgYSBiZW5jaG1hcmsgdG9rZW4"}`
	claims := fmt.Sprintf(`{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1700003607,`+
		`"iat":1700000000,"iss":"https://kubernetes.default.svc.cluster.local","jti":"%036d",`+
		`"kubernetes.io":{"namespace":"default","pod":{"name":"web-%d","uid":"%036d"},`+
		`"serviceaccount":{"name":"default","uid":"%036d"}},"nbf":1700000000,`+
		`"sub":"system:serviceaccount:default:default"}`, serial, serial, serial, serial)
	signature := make([]byte, 256)
	rand.Read(signature)
	parts := make([]string, 3)
	for i, part := range [][]byte{[]byte(header), []byte(claims), signature} {
		parts[i] = base64.RawURLEncoding.EncodeToString(part)
	}
	return review{token: strings.Join(parts, ".")}
}
