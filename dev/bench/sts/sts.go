// Package sts is what the load generator and the STS double have to agree on: who the
// benchmark's callers are, and how they sign GetCallerIdentity (AWS SigV4, query form).
package sts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	Account = "111122223333"
	Region  = "us-east-1"
	Host    = "sts.us-east-1.amazonaws.com"
	// Roles that the callers take turns to come with; dev/bench/webhook.py maps as many.
	Roles = 20

	ClusterHeader = "x-k8s-aws-id"

	algorithm = "AWS4-HMAC-SHA256"
	keyPrefix = "ASIABENCH"
	// SHA-256 of the empty body of a GET.
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	stampForm = "20060102T150405Z"
)

// Caller is one session of an assumed role. Its secret and its ARN follow from its number, so
// that the two programs need no table between them.
type Caller int

func (c Caller) AccessKey() string { return fmt.Sprintf("%s%011d", keyPrefix, int(c)) }
func (c Caller) Role() string      { return fmt.Sprintf("bench-%02d", int(c)%Roles) }
func (c Caller) Session() string   { return fmt.Sprintf("caller-%d", int(c)) }
func (c Caller) Username() string  { return c.Role() + ":" + c.Session() }
func (c Caller) UserID() string {
	return fmt.Sprintf("AROABENCH%012d:%s", int(c)%Roles, c.Session())
}

func (c Caller) ARN() string {
	return "arn:aws:sts::" + Account + ":assumed-role/" + c.Role() + "/" + c.Session()
}

func (c Caller) secret() string { return "secret of " + c.AccessKey() }

// CallerOf reads the number back from an access key.
func CallerOf(accessKey string) (Caller, error) {
	digits, found := strings.CutPrefix(accessKey, keyPrefix)
	number, err := strconv.Atoi(digits)
	if !found || err != nil || len(digits) != 11 {
		return 0, errors.New("unknown access key")
	}
	return Caller(number), nil
}

// Presign gives the signed URL of GetCallerIdentity as an EKS client makes it.
func Presign(c Caller, sessionToken, cluster string, at time.Time) string {
	stamp := at.UTC().Format(stampForm)
	query := url.Values{
		"Action":               {"GetCallerIdentity"},
		"Version":              {"2011-06-15"},
		"X-Amz-Algorithm":      {algorithm},
		"X-Amz-Credential":     {c.AccessKey() + "/" + scope(stamp)},
		"X-Amz-Date":           {stamp},
		"X-Amz-Expires":        {"60"},
		"X-Amz-Security-Token": {sessionToken},
		"X-Amz-SignedHeaders":  {"host;" + ClusterHeader},
	}
	canonical := canonicalQuery(query)
	signature := sign(c, stamp, canonical, Host, cluster)
	return "https://" + Host + "/?" + canonical + "&X-Amz-Signature=" + signature
}

// Verify finds who signed a request, as STS does; a request that nobody signed is an error.
func Verify(query url.Values, host, cluster string) (Caller, error) {
	stamp := query.Get("X-Amz-Date")
	if _, err := time.Parse(stampForm, stamp); err != nil {
		return 0, errors.New("malformed X-Amz-Date")
	}
	key, rest, _ := strings.Cut(query.Get("X-Amz-Credential"), "/")
	caller, err := CallerOf(key)
	if err != nil || rest != scope(stamp) {
		return 0, errors.New("unknown access key or scope")
	}
	unsigned := url.Values{}
	for name, values := range query {
		if name != "X-Amz-Signature" {
			unsigned[name] = values
		}
	}
	want := sign(caller, stamp, canonicalQuery(unsigned), host, cluster)
	if !hmac.Equal([]byte(want), []byte(query.Get("X-Amz-Signature"))) {
		return 0, errors.New("signature does not match")
	}
	return caller, nil
}

func scope(stamp string) string { return stamp[:8] + "/" + Region + "/sts/aws4_request" }

// AWS encodes a space as %20 where net/url writes +; both sort by name.
func canonicalQuery(query url.Values) string {
	return strings.ReplaceAll(query.Encode(), "+", "%20")
}

func sign(c Caller, stamp, query, host, cluster string) string {
	request := "GET\n/\n" + query + "\nhost:" + host + "\n" + ClusterHeader + ":" + cluster +
		"\n\nhost;" + ClusterHeader + "\n" + emptyHash
	hashed := sha256.Sum256([]byte(request))
	text := algorithm + "\n" + stamp + "\n" + scope(stamp) + "\n" + hex.EncodeToString(hashed[:])
	key := []byte("AWS4" + c.secret())
	for _, part := range []string{stamp[:8], Region, "sts", "aws4_request", text} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}
