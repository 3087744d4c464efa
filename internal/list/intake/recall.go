package intake

import (
	"sync"

	"plenary/internal/model"
)

const maxRecalled = 1000 // addresses

// recall has what addresses of lists meant at their last RCPT. After the final dot
// the list is not looked up again: judging tells when it has changed since
// (posting.ErrChanged).
type recall struct {
	mu    sync.Mutex
	lists map[string]recalled // by the address as written
}

type recalled struct {
	meant target
	list  *model.List // never changed
}

func (c *recall) keep(recipient string, t target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lists == nil || len(c.lists) >= maxRecalled {
		c.lists = map[string]recalled{}
	}
	list := *t.list
	c.lists[recipient] = recalled{t, &list}
}

// find gives the meaning of an address, with a list that is the caller's own.
func (c *recall) find(recipient string) (t target, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.lists[recipient]
	if ok {
		list := *r.list
		r.meant.list = &list
	}
	return r.meant, ok
}
