package store

import (
	"strconv"
	"sync"
)

// TopicQueue is woken when there may be something new to send.
const TopicQueue = "queue"

// TopicList is woken when a post was added to the list, or anything else its
// readers should look at again.
func TopicList(id int64) string { return "list:" + strconv.FormatInt(id, 10) }

// waker tells goroutines of this node that something was committed. A signal
// is a hint to look again, never a fact by itself: signals are merged, and after
// a change by another process all topics may be woken.
type waker struct {
	mu     sync.Mutex
	topics map[string]map[chan struct{}]struct{}
	closed bool
	stop   chan struct{} // closed by close; stops the dialect's listener
	done   sync.WaitGroup
}

func newWaker() *waker {
	return &waker{topics: map[string]map[chan struct{}]struct{}{}, stop: make(chan struct{})}
}

// Watch gives a channel that receives after a commit that concerns topic, here
// or on another node or process, usually within 100 ms. Call cancel when done.
func (s *Store) Watch(topic string) (wake <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	w := s.wake
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.topics[topic] == nil {
		w.topics[topic] = map[chan struct{}]struct{}{}
	}
	w.topics[topic][ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.topics[topic], ch)
		if len(w.topics[topic]) == 0 {
			delete(w.topics, topic)
		}
	}
}

func (w *waker) signal(topics ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range topics {
		for ch := range w.topics[t] {
			select {
			case ch <- struct{}{}:
			default: // one hint is waiting already
			}
		}
	}
}

// signalAll wakes everybody: another process changed something, we do not know
// what.
func (w *waker) signalAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, chans := range w.topics {
		for ch := range chans {
			select {
			case ch <- struct{}{}:
			default:
			}
		}
	}
}

func (w *waker) close() {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	w.closed = true
	close(w.stop)
	w.mu.Unlock()
	w.done.Wait()
}
