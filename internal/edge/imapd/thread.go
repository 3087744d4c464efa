package imapd

import (
	"context"
	"strings"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// answerThread answers THREAD and UID THREAD (RFC 5256 3).
func (f *front) answerThread(c *command) error {
	return f.answered(c, f.sess.thread(c))
}

func (s *session) thread(c *command) error {
	r, done, err := s.reading(c)
	if err != nil {
		return err
	}
	defer done()
	algorithm, after, _ := strings.Cut(r.rest, " ")
	if !strings.EqualFold(algorithm, "REFERENCES") {
		return &syntaxError{text: "Threads are made by REFERENCES"}
	}
	r.rest = strings.TrimLeft(after, " ")
	if err := r.charset(); err != nil {
		return err
	}
	found, err := s.matching(r, searchOptions{})
	if err != nil {
		return err
	}
	f := &forest{}
	if len(found) > 0 {
		if f, err = s.threads(r.sel, found); err != nil {
			return s.failed("thread", err)
		}
	}
	number := seqNumber(r.sel.rows)
	if strings.HasPrefix(c.name, "UID ") {
		number = func(uid model.UID) int64 { return int64(uid) }
	}
	return s.front.render(func(b []byte) []byte {
		b = append(b, "* THREAD"...)
		if len(f.roots) > 0 {
			b = f.write(append(b, ' '), number)
		}
		return append(b, "\r\n"...)
	})
}

func seqNumber(rows []archive.Row) func(model.UID) int64 {
	return func(uid model.UID) int64 {
		i, _ := rowOf(rows, uid)
		return int64(i + 1)
	}
}

// threads are the trees of the rows found. Those of all rows are remembered.
func (s *session) threads(sel *selected, found []int) (*forest, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.front.srv.times.search)
	defer cancel()
	srv := s.front.srv
	ord, err := srv.orders.of(ctx, srv.opt.Archive, sel.list.ID)
	if err != nil {
		return nil, err
	}
	ord.mu.Lock()
	defer ord.mu.Unlock()
	n := len(found)
	all := n == len(ord.rows) && sel.rows[found[0]].UID == ord.rows[0].UID && sel.rows[found[n-1]].UID == ord.rows[n-1].UID
	if all && ord.forest != nil {
		return ord.forest, nil
	}
	if ord.drawn == nil {
		if ord.drawn, err = srv.opt.Archive.Threads(ctx, sel.list.ID); err != nil {
			return nil, err
		}
	}
	at := make([]int32, len(ord.drawn)) // per branch: its row here, or -1
	wanted := make([]bool, len(ord.rows))
	for _, i := range found {
		if own, ok := rowOf(ord.rows, sel.rows[i].UID); ok {
			wanted[own] = true
		}
	}
	for i, b := range ord.drawn {
		at[i] = -1
		if own, ok := rowOf(ord.rows, b.Post.UID()); ok && b.Post != 0 && wanted[own] {
			at[i] = int32(own)
		}
	}
	f := plant(ord.drawn, at, ord.rows)
	subjects := ord.columns[bySubject]
	subjects.sort()
	f.group(func(row int32) subject {
		v := subjects.of[row]
		return subject{subjects.rank[v], subjects.reply[v], subjects.keys[v] == ""}
	})
	if all {
		ord.forest = f
	}
	return f, nil
}
