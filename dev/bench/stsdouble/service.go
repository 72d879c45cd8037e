package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"dev/bench/sts"
)

// behaviour is what the double has been told to do.
type behaviour struct {
	latency time.Duration
	rate    float64 // calls a second; 0 for no quota
	burst   float64
	fault   string // "", hang, reset, 500 or rubbish
}

// counts is what came in since the last change of behaviour.
type counts struct {
	Connections   int            `json:"connections"`
	Calls         int            `json:"calls"`
	Tokens        int            `json:"tokens"`
	PeakPerSecond int            `json:"peak_per_second"`
	Answers       map[string]int `json:"answers"`
}

type service struct {
	lock      sync.Mutex
	behaviour behaviour
	allowance float64 // token bucket: calls that may come now
	refilled  time.Time
	counts    counts
	seen      map[string]struct{} // signatures
	seconds   map[int64]int
}

func newService() *service {
	s := &service{}
	s.behave(behaviour{})
	return s
}

func (s *service) behave(b behaviour) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.behaviour, s.allowance, s.refilled = b, b.burst, time.Now()
	s.counts = counts{Answers: map[string]int{}}
	s.seen, s.seconds = map[string]struct{}{}, map[int64]int{}
}

// admit counts a call and says how to treat it, and whether it is within the quota.
func (s *service) admit(signature string, now time.Time) (behaviour, bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.seen[signature] = struct{}{}
	s.counts.Calls++
	second := now.Unix()
	s.seconds[second]++
	s.counts.PeakPerSecond = max(s.counts.PeakPerSecond, s.seconds[second])
	if s.behaviour.rate == 0 {
		return s.behaviour, true
	}
	elapsed := now.Sub(s.refilled).Seconds()
	s.allowance = min(s.behaviour.burst, s.allowance+elapsed*s.behaviour.rate)
	s.refilled = now
	if s.allowance < 1 {
		return s.behaviour, false
	}
	s.allowance--
	return s.behaviour, true
}

func (s *service) connected() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.counts.Connections++
}

func (s *service) answered(kind string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.counts.Answers[kind]++
}

// ServeHTTP is STS.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	told, within := s.admit(query.Get("X-Amz-Signature"), time.Now())
	if told.latency > 0 {
		time.Sleep(told.latency)
	}
	if told.fault != "" {
		s.answered(told.fault)
		fail(told.fault, w, r)
		return
	}
	if !within {
		s.refuse(w, http.StatusBadRequest, "Throttling", "Rate exceeded")
		return
	}
	caller, err := sts.Verify(query, r.Host, r.Header.Get(sts.ClusterHeader))
	if err != nil {
		s.refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", err.Error())
		return
	}
	s.answered("identity")
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"%s","Arn":"%s",`+
		`"UserId":"%s"},"ResponseMetadata":{"RequestId":"00000000-0000-0000-0000-000000000000"}}}`,
		sts.Account, caller.ARN(), caller.UserID())
}

func (s *service) refuse(w http.ResponseWriter, status int, code, message string) {
	s.answered(code)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"Error":{"Code":"%s","Message":"%s","Type":"Sender"},`+
		`"RequestId":"00000000-0000-0000-0000-000000000000"}`, code, message)
}

func fail(fault string, w http.ResponseWriter, r *http.Request) {
	switch fault {
	case "hang":
		<-r.Context().Done()
	case "reset":
		reset(w)
	case "500":
		http.Error(w, `{"Error":{"Code":"InternalFailure","Message":"","Type":"Receiver"}}`, 500)
	case "rubbish":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>It works!</body></html>")
	}
}

func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	tunnel := conn.(*tls.Conn).NetConn()
	// Closing with unsent data thrown away makes the kernel send RST.
	tunnel.(*net.TCPConn).SetLinger(0)
	tunnel.Close()
}

func (s *service) serveCounts(w http.ResponseWriter, _ *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.counts.Tokens = len(s.seen)
	json.NewEncoder(w).Encode(s.counts)
}

func (s *service) serveBehave(w http.ResponseWriter, r *http.Request) {
	told := behaviour{fault: r.FormValue("fault")}
	var err error
	if text := r.FormValue("latency"); text != "" {
		told.latency, err = time.ParseDuration(text)
	}
	if text := r.FormValue("rate"); text != "" && err == nil {
		told.rate, err = strconv.ParseFloat(text, 64)
	}
	if text := r.FormValue("burst"); text != "" && err == nil {
		told.burst, err = strconv.ParseFloat(text, 64)
	}
	known := map[string]bool{"": true, "hang": true, "reset": true, "500": true, "rubbish": true}
	if err != nil || !known[told.fault] {
		http.Error(w, "latency=DURATION&rate=N&burst=N&fault=hang|reset|500|rubbish", 400)
		return
	}
	s.behave(told)
	w.WriteHeader(http.StatusNoContent)
}
