package http

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	relayEvery = 100 * time.Millisecond
	// streamEvery is how often a stream looks: there may be many, and they are idle.
	streamEvery = time.Second
	// relayKept is how long a message waits for the replica that it is for. One for a call
	// that has ended is never taken.
	relayKept = time.Minute
	// relayMost bounds the messages that wait for one session, relayOfCaller these sessions of
	// one caller, so that it leaves room for the others, relaySessions all of them, and
	// relayLongest a message in bytes: cancellations and answers to forms are short.
	relayMost     = 100
	relayOfCaller = 100
	relaySessions = 1000
	relayLongest  = 4 << 10
)

// Folder is the Relay of the replicas that share a folder.
type Folder struct {
	dir                string
	ofCaller, sessions int // that messages may wait for
}

// NewFolder returns the relay of a folder, which is made when it is needed.
func NewFolder(dir string) *Folder { return &Folder{dir, relayOfCaller, relaySessions} }

// of is where the messages for a session wait. A caller's name has its tenant.
func (r *Folder) of(to Address) string {
	return filepath.Join(r.dir, prefixOf(to.Caller)+hashed(to.Session))
}

// prefixOf begins the names of the folders of a caller's sessions.
func prefixOf(caller string) string { return hashed(caller) + "-" }

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// Put implements Relay.
func (r *Folder) Put(_ context.Context, to Address, message []byte) error {
	if len(message) > relayLongest {
		return fmt.Errorf("passing a message to another replica: it has %d bytes, and the most is %d", len(message), relayLongest)
	}
	err := r.write(to, message)
	if errors.Is(err, fs.ErrNotExist) { // a sweep has just removed the empty folder
		err = r.write(to, message)
	}
	if err != nil {
		return fmt.Errorf("passing a message to another replica: %w", err)
	}
	return nil
}

func (r *Folder) write(to Address, message []byte) error {
	dir := r.of(to)
	if err := r.makeFolder(dir, prefixOf(to.Caller)); err != nil {
		return err
	}
	waiting, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(waiting) >= relayMost {
		return nil // nobody takes them
	}
	// It gets its name when it is complete.
	name := filepath.Join(dir, fmt.Sprintf("%020d-%s", time.Now().UnixNano(), rand.Text()[:8]))
	if err := os.WriteFile(name+".part", message, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".part", name+".json")
}

// makeFolder makes the folder of a session, unless there are too many, or too many that have
// the prefix of its caller.
func (r *Folder) makeFolder(dir, prefix string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	all, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	own := 0
	for _, d := range all {
		if strings.HasPrefix(d.Name(), prefix) {
			own++
		}
	}
	if own >= r.ofCaller || len(all) >= r.sessions {
		return fmt.Errorf("messages for %d sessions wait already, %d of this caller", len(all), own)
	}
	return os.MkdirAll(dir, 0o700)
}

// Follow implements Relay.
func (r *Folder) Follow(of Address, stream bool, accept func(message []byte) bool) (stop func()) {
	every := relayEvery
	if stream {
		every = streamEvery
	}
	ctx, cancel := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.offer(r.of(of), accept)
			}
		}
	})
	return func() {
		cancel()
		looking.Wait()
	}
}

// offer removes the messages in a folder that are accepted.
func (r *Folder) offer(dir string, accept func(message []byte) bool) {
	names, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	slices.Sort(names)
	for _, name := range names {
		message, err := os.ReadFile(name)
		if err == nil && accept(message) {
			os.Remove(name) // if that fails, it is not accepted a second time
		}
	}
}

// Sweep implements Relay.
func (r *Folder) Sweep(context.Context) error {
	now := time.Now()
	dirs, err := os.ReadDir(r.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, d := range dirs {
		dir := filepath.Join(r.dir, d.Name())
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			if info, err := f.Info(); err == nil && now.Sub(info.ModTime()) > relayKept {
				os.Remove(filepath.Join(dir, f.Name())) // another replica may have
			}
		}
		os.Remove(dir) // fails unless it is empty
	}
	return err
}
