// Package pace keeps how fast models are on this machine. Measurements are stored in
// a file, so that a model is measured once and not by every process.
package pace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Speed is how fast a model reads prompts and writes.
type Speed struct {
	Read  float64       `json:"read"`    // tokens a second
	Write float64       `json:"write"`   // tokens a second
	Load  time.Duration `json:"load_ns"` // of the model that is not in memory yet
	Bound bool          `json:"bound"`   // it was not waited for: the model is not faster than this
	At    time.Time     `json:"at"`      // of the measurement
	Told  bool          `json:"told"`    // the user knows that the model is too slow
	Host  string        `json:"machine"` // where it was measured
}

// ErrUnknown is that a model was not measured, and is not being measured.
var ErrUnknown = errors.New("the speed of the model is not known")

// Takes returns how long the model needs to read and write so many tokens.
func (s Speed) Takes(read, write int) time.Duration {
	seconds := float64(read)/s.Read + float64(write)/s.Write
	if math.IsNaN(seconds) || seconds > maxTakes.Seconds() {
		return maxTakes
	}
	return time.Duration(seconds * float64(time.Second))
}

const (
	maxTakes = 24 * time.Hour // so that no product overflows
	maxFile  = 1 << 20        // bytes that are read
	// maxModels in the file; those that were measured first are dropped.
	maxModels = 64
	// boundTTL is how long a lower limit counts: the machine may have been busy.
	boundTTL = 6 * time.Hour
)

// Book is the measurements of one data folder. It is safe for concurrent use, also
// by several processes: of two that write at the same time, one may lose a
// measurement, which is then made again. A file that cannot be read is written
// anew. A nil Book knows and keeps nothing.
type Book struct {
	file    string // "": only in memory
	machine string
	now     func() time.Time

	mu     sync.Mutex
	loaded bool
	speeds map[string]Speed
}

// Open returns the book in the folder dir, which need not exist yet; with an empty
// dir nothing is stored. now may be nil.
func Open(dir string, now func() time.Time) *Book {
	b := &Book{machine: machine(), now: now, speeds: map[string]Speed{}}
	if now == nil {
		b.now = time.Now
	}
	if dir != "" {
		b.file = filepath.Join(dir, "models.json")
	}
	return b
}

// machine tells machines that share a folder apart.
func machine() string {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	return fmt.Sprintf("%s/%d", name, runtime.NumCPU())
}

// Speed returns the measurement of a model on this machine. It reports false where
// there is none, or none that still counts.
func (b *Book) Speed(model string) (Speed, bool) {
	if b == nil {
		return Speed{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.load()
	s, ok := b.speeds[model]
	age := b.now().Sub(s.At)
	stale := s.Bound && (age > boundTTL || age < 0) // the clock was set back
	if !ok || s.Host != b.machine || stale || !valid(s) {
		return Speed{}, false
	}
	return s, true
}

func valid(s Speed) bool {
	return s.Read > 0 && s.Write > 0 && s.Load >= 0 && !math.IsInf(s.Read, 0) && !math.IsInf(s.Write, 0)
}

// Note stores a measurement in place of an earlier one. A Speed that is none is
// ignored. Its error is that of the file; the measurement counts in this process
// nevertheless.
func (b *Book) Note(model string, s Speed) error {
	if b == nil || !valid(s) {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.load()
	s.At, s.Host = b.now(), b.machine
	s.Told = s.Told || b.speeds[model].Told
	b.speeds[model] = s
	return b.save()
}

// Adjust stores what an answer showed of the model's speed: the geometric mean with
// the measurement before it, because a prompt may have been in the server's cache in
// part, and the machine busy.
func (b *Book) Adjust(model string, s Speed) error {
	if old, ok := b.Speed(model); ok && !old.Bound && valid(s) {
		s.Read, s.Write = math.Sqrt(old.Read*s.Read), math.Sqrt(old.Write*s.Write)
		s.Load = max(s.Load, old.Load)
	}
	return b.Note(model, s)
}

// Tell reports whether the user still has to be told that the model is too slow, and
// remembers that it was done.
func (b *Book) Tell(model string) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.load()
	s, ok := b.speeds[model]
	if ok && s.Told {
		return false
	}
	s.Told = true
	b.speeds[model] = s
	_ = b.save() // it is told once more
	return true
}

// load reads the file once. The caller holds b.mu.
func (b *Book) load() {
	if b.loaded || b.file == "" {
		return
	}
	b.loaded = true
	b.merge()
}

// merge adds what the file has and b has not, or has from an earlier time. The
// caller holds b.mu.
func (b *Book) merge() {
	f, err := os.Open(b.file)
	if err != nil {
		return
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return
	}
	read := map[string]Speed{}
	if json.Unmarshal(raw, &read) != nil {
		return
	}
	for model, s := range read {
		if have, ok := b.speeds[model]; !ok || have.At.Before(s.At) {
			b.speeds[model] = s
		}
	}
}

// save replaces the file. The caller holds b.mu.
func (b *Book) save() error {
	if b.file == "" {
		return nil
	}
	b.merge()
	for len(b.speeds) > maxModels {
		oldest := ""
		for model, s := range b.speeds {
			if oldest == "" || s.At.Before(b.speeds[oldest].At) {
				oldest = model
			}
		}
		delete(b.speeds, oldest)
	}
	raw, err := json.MarshalIndent(b.speeds, "", " ")
	if err != nil {
		return fmt.Errorf("storing the speed of models: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(b.file), ".models-*.json")
	if err != nil {
		return fmt.Errorf("storing the speed of models: %w", err)
	}
	_, err = temp.Write(append(raw, '\n'))
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), b.file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("storing the speed of models: %w", err), os.Remove(temp.Name()))
	}
	return nil
}
