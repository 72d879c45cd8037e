package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"
	"unsafe"

	"github.com/sirupsen/logrus"
	"sigs.k8s.io/aws-iam-authenticator/pkg/arn"
	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/ec2provider"
	"sigs.k8s.io/aws-iam-authenticator/pkg/errutil"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper"
	"sigs.k8s.io/aws-iam-authenticator/pkg/server"
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

const (
	clusterID = "oracle"
	// Enough that an answer of probability 1/64 is missed once in 50,000 times.
	draws = 700
)

// reference is one server of the reference, whose mappers are exchanged for each question.
type reference struct {
	handler  http.Handler
	mappers  *[]mapper.Mapper
	scrubbed *[]string
	sts      *fakeSTS
}

func newReference() (*reference, error) {
	logrus.SetOutput(io.Discard)
	// The gate SSORoleMatch, which is open in our server.
	config.SSORoleMatchEnabled = true
	state, err := os.MkdirTemp("", "oracle")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(state)
	sts := &fakeSTS{}
	// The reference's verifier has a client of its own, and no transport of its own.
	http.DefaultTransport = sts
	srv := server.New(context.Background(), config.Config{
		PartitionID:            "aws",
		ClusterID:              clusterID,
		Address:                "127.0.0.1",
		Hostname:               "localhost",
		StateDir:               state,
		KubeconfigPregenerated: true,
		BackendMode:            []string{mapper.ModeMountedFile},
	})
	srv.Close()
	inner := reflect.ValueOf(srv).Elem().FieldByName("internalHandler").Elem()
	*field[ec2provider.EC2Provider](inner, "ec2Provider") = instances{}
	return &reference{
		handler:  field[http.Server](reflect.ValueOf(srv).Elem(), "httpServer").Handler,
		mappers:  field[[]mapper.Mapper](inner.FieldByName("backendMapper"), "mappers"),
		scrubbed: field[[]string](inner, "scrubbedAccounts"),
		sts:      sts,
	}, nil
}

// field gives access to a field that the reference does not export. The version is pinned, and a
// field that is renamed ends the program.
func field[T any](structure reflect.Value, name string) *T {
	value := structure.FieldByName(name)
	if value.Type() != reflect.TypeFor[T]() {
		panic(fmt.Sprintf("%s is a %s", name, value.Type()))
	}
	return (*T)(unsafe.Pointer(value.UnsafeAddr()))
}

func (r *reference) answer(question Question) (Answer, error) {
	sources, err := newSources(question)
	if err != nil {
		return Answer{}, err
	}
	defer sources.stop()
	for _, step := range question.Steps {
		if err := sources.load(step); err != nil {
			return Answer{}, err
		}
	}
	*r.scrubbed = sources.config.ScrubbedAWSAccounts
	answer := Answer{Refusal: sources.refusal, Callers: [][]Outcome{}}
	if sources.refusal != "" {
		return answer, nil
	}
	for _, caller := range question.Callers {
		outcomes, err := r.outcomes(sources, caller)
		if err != nil {
			return Answer{}, err
		}
		answer.Callers = append(answer.Callers, outcomes)
	}
	return answer, nil
}

// outcomes gives every answer that the caller may get.
func (r *reference) outcomes(sources *sources, caller Caller) ([]Outcome, error) {
	identity, err := identityOf(caller)
	if err != nil {
		return nil, err
	}
	chains := [][]mapper.Mapper{{}}
	for _, source := range sources.chain {
		var longer [][]mapper.Mapper
		for _, drawn := range draw(source, identity) {
			for _, chain := range chains {
				longer = append(longer, append(chain[:len(chain):len(chain)], drawn))
			}
		}
		chains = longer
	}
	var outcomes []Outcome
	seen := map[string]bool{}
	for _, chain := range chains {
		*r.mappers = chain
		outcome, err := r.review(caller)
		if err != nil {
			return nil, err
		}
		if key := fmt.Sprint(outcome.Status, string(outcome.User)); !seen[key] {
			seen[key] = true
			outcomes = append(outcomes, outcome)
		}
	}
	return outcomes, nil
}

// review asks the reference's handler about a token of the caller.
func (r *reference) review(caller Caller) (Outcome, error) {
	r.sts.caller = caller
	token := caller.Token
	if token == "" {
		token = tokenOf(caller)
	}
	body, err := json.Marshal(map[string]any{"spec": map[string]string{"token": token}})
	if err != nil {
		return Outcome{}, err
	}
	request := httptest.NewRequest(http.MethodPost, "/authenticate", bytes.NewReader(body))
	recorder := httptest.NewRecorder()
	r.handler.ServeHTTP(recorder, request)
	var review struct {
		Status struct {
			Authenticated bool            `json:"authenticated"`
			User          json.RawMessage `json:"user"`
		} `json:"status"`
	}
	if err := json.NewDecoder(recorder.Body).Decode(&review); err != nil {
		return Outcome{}, err
	}
	if !review.Status.Authenticated {
		return Outcome{Status: recorder.Code}, nil
	}
	return Outcome{Status: recorder.Code, User: review.Status.User}, nil
}

// drawn is a mapper that gives one of the answers of another.
type drawn struct {
	mapper.Mapper
	mapping *config.IdentityMapping
	err     error
}

func (d drawn) Map(*token.Identity) (*config.IdentityMapping, error) {
	return d.mapping, d.err
}

// draw gives a mapper for each answer of the source that was seen.
func draw(source source, identity *token.Identity) []mapper.Mapper {
	times := 1
	if source.ambiguous(strings.ToLower(identity.CanonicalARN)) {
		times = draws
	}
	var all []mapper.Mapper
	seen := map[string]bool{}
	for range times {
		mapping, err := source.Map(identity)
		key := "none"
		if err == nil {
			key = fmt.Sprintf("%q %q", mapping.Username, mapping.Groups)
		}
		if !seen[key] {
			seen[key] = true
			all = append(all, drawn{source.Mapper, mapping, err})
		}
	}
	return all
}

// identityOf is what the reference's verifier makes of the caller: for the mappers when asked
// directly. That the two agree is checked by what the handler then answers.
func identityOf(caller Caller) (*token.Identity, error) {
	kind, canonical, err := arn.Canonicalize(caller.Arn)
	if err != nil {
		return nil, err
	}
	identity := &token.Identity{
		ARN:          caller.Arn,
		CanonicalARN: canonical,
		AccountID:    caller.Account,
		UserID:       caller.UserID,
		AccessKeyID:  caller.AccessKeyID,
	}
	if kind == arn.ASSUMED_ROLE {
		identity.UserID, identity.SessionName, _ = strings.Cut(caller.UserID, ":")
	}
	return identity, nil
}

// tokenOf is a token that passes the reference's checks; its signature is never looked at.
func tokenOf(caller Caller) string {
	query := url.Values{
		"Action":              {"GetCallerIdentity"},
		"Version":             {"2011-06-15"},
		"X-Amz-Algorithm":     {"AWS4-HMAC-SHA256"},
		"X-Amz-Credential":    {caller.AccessKeyID + "/20300101/us-east-1/sts/aws4_request"},
		"X-Amz-Date":          {time.Now().UTC().Format("20060102T150405Z")},
		"X-Amz-Expires":       {"60"},
		"X-Amz-SignedHeaders": {"host;x-k8s-aws-id"},
		"X-Amz-Signature":     {"0"},
	}
	signed := "https://sts.us-east-1.amazonaws.com/?" + query.Encode()
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(signed))
}

// fakeSTS answers every request with one caller.
type fakeSTS struct{ caller Caller }

func (s *fakeSTS) RoundTrip(request *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(request.URL.Host, "sts") {
		return nil, errors.New("only STS is simulated here")
	}
	result := map[string]string{
		"Arn": s.caller.Arn, "Account": s.caller.Account, "UserId": s.caller.UserID,
	}
	body, err := json.Marshal(map[string]any{
		"GetCallerIdentityResponse": map[string]any{"GetCallerIdentityResult": result},
	})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(bytes.NewReader(body)),
		Request:    request,
	}, nil
}

// instances names every instance after its id.
type instances struct{}

func (instances) GetPrivateDNSName(_ context.Context, id string) (string, error) {
	if strings.HasPrefix(id, "i-dead") {
		return "", errutil.ErrNotMapped
	}
	return id + ".ec2.internal", nil
}

func (instances) StartEc2DescribeBatchProcessing(context.Context) {}
