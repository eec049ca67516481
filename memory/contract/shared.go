package contract

import (
	"io"
	"sync"
)

// Shared is what the memories that a process opens have in common, such as connections to one
// server. The zero value is ready; with a nil one, each has its own.
type Shared struct {
	mu  sync.Mutex
	all map[string]*common
}

type common struct {
	io.Closer
	uses int
}

// Take returns what key names, and opens it if nobody has it yet. Whoever gets it calls
// release once, and the last of them closes it.
func (s *Shared) Take(key string, open func() (io.Closer, error)) (it io.Closer, release func() error, err error) {
	if s == nil {
		if it, err = open(); err != nil {
			return nil, nil, err
		}
		return it, it.Close, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.all[key]
	if c == nil {
		if it, err = open(); err != nil {
			return nil, nil, err
		}
		if s.all == nil {
			s.all = map[string]*common{}
		}
		c = &common{Closer: it}
		s.all[key] = c
	}
	c.uses++
	return c.Closer, func() error { return s.release(key, c) }, nil
}

func (s *Shared) release(key string, c *common) error {
	s.mu.Lock()
	c.uses--
	last := c.uses == 0
	if last {
		delete(s.all, key)
	}
	s.mu.Unlock()
	if !last {
		return nil
	}
	return c.Close()
}
