package main

import (
	"slices"
	"time"
)

// slice is the grain of the timeline in which a recovery is looked for.
const slice = 250 * time.Millisecond

// record is what one connection saw.
type record struct {
	total     int // with those of the warm-up
	latencies []time.Duration
	outcomes  map[string]int
	timeline  map[int]map[string]int // by the slice of the window in which the review was due
	inTime    int                    // answered before the window's end
}

func (r *record) add(window window, due, done time.Time, outcome string) {
	r.total++
	if !window.counts(due) {
		return
	}
	if r.outcomes == nil {
		r.outcomes, r.timeline = map[string]int{}, map[int]map[string]int{}
	}
	r.latencies = append(r.latencies, done.Sub(due))
	r.outcomes[outcome]++
	if done.Before(window.end()) {
		r.inTime++
	}
	at := int(due.Sub(window.start) / slice)
	if r.timeline[at] == nil {
		r.timeline[at] = map[string]int{}
	}
	r.timeline[at][outcome]++
}

// report is what the benchmark reads. Latencies are in milliseconds.
type report struct {
	CPUSeconds float64   `json:"cpu_s"` // of this program
	Streams    []summary `json:"streams"`
}

type summary struct {
	Name      string           `json:"name"`
	Total     int              `json:"total"` // with those of the warm-up
	Reviews   int              `json:"reviews"`
	PerSecond float64          `json:"per_second"`
	Outcomes  map[string]int   `json:"outcomes"`
	P50       float64          `json:"p50_ms"`
	P90       float64          `json:"p90_ms"`
	P99       float64          `json:"p99_ms"`
	Max       float64          `json:"max_ms"`
	SliceMs   int64            `json:"slice_ms"`
	Timeline  []map[string]int `json:"timeline"`
}

func summarise(name string, records []record, window window) summary {
	result := summary{Name: name, Outcomes: map[string]int{}, SliceMs: slice.Milliseconds()}
	var latencies []time.Duration
	inTime := 0
	for _, r := range records {
		result.Total += r.total
		inTime += r.inTime
		latencies = append(latencies, r.latencies...)
		merge(result.Outcomes, r.outcomes)
		for at, outcomes := range r.timeline {
			for len(result.Timeline) <= at {
				result.Timeline = append(result.Timeline, map[string]int{})
			}
			merge(result.Timeline[at], outcomes)
		}
	}
	slices.Sort(latencies)
	result.Reviews = len(latencies)
	// Answers that came after the window do not make a server faster.
	result.PerSecond = float64(inTime) / window.length.Seconds()
	result.P50, result.P90 = percentile(latencies, 0.50), percentile(latencies, 0.90)
	result.P99, result.Max = percentile(latencies, 0.99), percentile(latencies, 1)
	return result
}

func merge(into, from map[string]int) {
	for outcome, count := range from {
		into[outcome] += count
	}
}

// percentile takes the nearest rank of a sorted list, in milliseconds.
func percentile(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(share*float64(len(sorted))+0.999999) - 1
	return float64(sorted[max(0, min(rank, len(sorted)-1))].Microseconds()) / 1000
}
