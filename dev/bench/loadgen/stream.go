package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// stream is one -stream: a kind of caller and how it comes.
type stream struct {
	name, tokens        string
	callers, first      int
	connections, askers int
	rate                float64
	after, within       time.Duration
}

type streamFlags []stream

func (f *streamFlags) String() string { return "" }

func (f *streamFlags) Set(text string) error {
	s := stream{tokens: "new", callers: 10_000, connections: 8, askers: 1}
	for _, part := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		if err := s.set(name, value); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	if !slices.Contains([]string{"new", "pool", "forged", "foreign", "listed"}, s.tokens) {
		return fmt.Errorf("tokens=%s: want new, pool, forged, foreign or listed", s.tokens)
	}
	if s.name == "" || s.callers < 1 || s.connections < 1 || s.askers < 1 || s.rate < 0 {
		return fmt.Errorf("a stream has a name, and no count below 1")
	}
	if (s.askers > 1 || s.after > 0) && s.rate == 0 {
		return fmt.Errorf("askers and after need a rate")
	}
	*f = append(*f, s)
	return nil
}

func (s *stream) set(name, value string) (err error) {
	switch name {
	case "name":
		s.name = value
	case "tokens":
		s.tokens = value
	case "callers":
		s.callers, err = strconv.Atoi(value)
	case "first":
		s.first, err = strconv.Atoi(value)
	case "connections":
		s.connections, err = strconv.Atoi(value)
	case "rate":
		s.rate, err = strconv.ParseFloat(value, 64)
	case "after":
		s.after, err = time.ParseDuration(value)
	case "askers":
		s.askers, err = strconv.Atoi(value)
	case "within":
		s.within, err = time.ParseDuration(value)
	default:
		err = fmt.Errorf("unknown")
	}
	return err
}

// next gives a review and when it was due, waiting until then; false at the end. It is safe
// for many callers.
type next func() (review, time.Time, bool)

func (s stream) arrivals(source source, window window) next {
	if s.rate == 0 {
		return s.closedLoop(source, window)
	}
	return s.openLoop(source, window)
}

func (s stream) closedLoop(source source, window window) next {
	var serial atomic.Int64
	return func() (review, time.Time, bool) {
		if !time.Now().Before(window.end()) {
			return review{}, time.Time{}, false
		}
		made := source(int(serial.Add(1) - 1))
		return made, time.Now(), true
	}
}

// arrival is a planned review of an open loop.
type arrival struct {
	after  time.Duration
	serial int
}

func (s stream) openLoop(source source, window window) next {
	plan := s.plan(window.warmup + window.length - s.after)
	// A token of several askers is minted once, by the first of them.
	minted := make([]atomic.Pointer[review], len(plan)/s.askers+1)
	var taken atomic.Int64
	return func() (review, time.Time, bool) {
		i := int(taken.Add(1) - 1)
		if i >= len(plan) {
			return review{}, time.Time{}, false
		}
		due := window.begin().Add(s.after + plan[i].after)
		time.Sleep(time.Until(due))
		slot := &minted[plan[i].serial]
		if slot.Load() == nil {
			made := source(plan[i].serial)
			slot.CompareAndSwap(nil, &made)
		}
		return *slot.Load(), due, true
	}
}

// plan sets the times: tokens appear evenly, and each token's other askers come at random
// within the time given. The random numbers are the same in every run.
func (s stream) plan(length time.Duration) []arrival {
	random := rand.New(rand.NewPCG(1, 2))
	tokens := int(s.rate / float64(s.askers) * length.Seconds())
	plan := make([]arrival, 0, tokens*s.askers)
	for serial := range tokens {
		first := time.Duration(float64(serial) * float64(length) / float64(tokens))
		plan = append(plan, arrival{first, serial})
		for range s.askers - 1 {
			later := time.Duration(random.Int64N(int64(s.within) + 1))
			plan = append(plan, arrival{first + later, serial})
		}
	}
	slices.SortFunc(plan, func(a, b arrival) int { return int(a.after - b.after) })
	return plan
}
