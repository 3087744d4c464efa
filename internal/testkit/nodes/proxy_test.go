package nodes

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between one node and PostgreSQL. It can swallow everything while
// connections stay open, as a switch does that lost its mind, or reset them.
type proxy struct {
	l      net.Listener
	target string

	mu      sync.Mutex
	changed *sync.Cond
	hole    bool // nothing passes
	refuse  bool // new connections are reset
	closed  bool
	conns   map[net.Conn]struct{}
	wg      sync.WaitGroup
}

// newProxy gives a proxy and the DSN that goes through it.
func newProxy(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: u.Host, conns: map[net.Conn]struct{}{}}
	p.changed = sync.NewCond(&p.mu)
	if p.l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	u.Host = p.l.Addr().String()
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

// add keeps a connection for reset and close; false when it must not live.
func (p *proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.refuse {
		end(c)
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

func (p *proxy) serve(c net.Conn) {
	if !p.add(c) {
		return
	}
	defer p.drop(c)
	if !p.open() {
		return
	}
	d, err := net.Dial("tcp", p.target)
	if err != nil || !p.add(d) {
		return
	}
	defer p.drop(d)
	var pair sync.WaitGroup
	pair.Go(func() { p.pass(c, d) })
	pair.Go(func() { p.pass(d, c) })
	pair.Wait()
}

// open waits while there is a hole; false at the end.
func (p *proxy) open() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.hole && !p.closed {
		p.changed.Wait()
	}
	return !p.closed
}

func (p *proxy) pass(from, to net.Conn) {
	defer func() { _ = from.Close(); _ = to.Close() }()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if !p.open() {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// swallow begins or ends the black hole.
func (p *proxy) swallow(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = yes
	p.changed.Broadcast()
}

// reset ends all connections with a reset, and new ones until reset(false).
func (p *proxy) reset(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = yes
	if yes {
		for c := range p.conns {
			end(c)
		}
	}
}

// end closes with RST instead of FIN.
func end(c net.Conn) {
	if tc, ok := c.(*net.TCPConn); ok {
		_ = tc.SetLinger(0)
	}
	_ = c.Close()
}

func (p *proxy) close() {
	_ = p.l.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.changed.Broadcast()
	p.mu.Unlock()
	p.wg.Wait()
}
