package main

import (
	"bytes"
	"sync"
)

// firstLines collects what a program prints while others look on.
type firstLines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed by the next write
}

func newFirstLines() *firstLines { return &firstLines{more: make(chan struct{})} }

func (l *firstLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(p)
}

// read gives all so far, and a channel that is closed when there is more.
func (l *firstLines) read() (string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String(), l.more
}
