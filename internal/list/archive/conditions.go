package archive

import (
	"context"
	"slices"
	"strconv"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// The conditions that ask more than the index, the rows and the headers.

// marked answers for a personal flag.
func (s *searcher) marked(account int64, flag string) (conj, error) {
	f := s.flags[account]
	if f == nil {
		var err error
		if f, err = s.r.Flags(s.ctx, account, s.list); err != nil {
			return conj{}, err
		}
		s.flags[account] = f
	}
	return s.where(func(r *Row) bool { return f.Has(flag, r.UID) }), nil
}

// inList answers for all posts of the list at once.
func (s *searcher) inList(st step) (conj, error) {
	l := (*model.List)(nil)
	if s.who != nil {
		l = s.who.list
	}
	if l == nil {
		var err error
		if l, err = s.r.store.GetList(s.ctx, s.list); err != nil {
			return conj{}, err
		}
	}
	set := newBitset(len(s.rows))
	if st.names(l) {
		set = fullBitset(len(s.rows))
	}
	return conj{set: &set}, nil
}

// thread answers for the thread of one post.
func (s *searcher) thread(post string) (conj, error) {
	set := newBitset(len(s.rows))
	posts, err := s.r.postNamed(s.ctx, s.list, post)
	if err != nil || len(posts) == 0 {
		return conj{set: &set}, err
	}
	ids, err := s.r.threadOf(s, posts[0].ThreadID)
	for _, id := range ids {
		if i, ok := find(s.rows, id.UID()); ok {
			set.add(i)
		}
	}
	return conj{set: &set}, err
}

// postNamed gives the post of a list with this number or Message-ID, if there is one.
func (r *Reader) postNamed(ctx context.Context, listID int64, post string) ([]model.Post, error) {
	id := model.PostID(0)
	if n, err := strconv.ParseUint(post, 10, 32); err == nil {
		id = model.MakePostID(listID, model.UID(n))
	} else if id, err = r.store.FindPostByKey(ctx, listID, model.KeyMessageID, MessageKey(post)); err != nil {
		return nil, err
	}
	return r.store.FindPosts(ctx, []model.PostID{id})
}

// refuse says which list or post a query that finds nothing names in vain. A list
// that may not be read is none. What stands below OR or NOT is not looked at: there
// the query may find nothing for another reason.
func (r *Reader) refuse(ctx context.Context, q Query, asked, may []model.List) error {
	for _, st := range q.required() {
		switch st.op {
		case opList:
			if !slices.ContainsFunc(may, func(l model.List) bool { return st.names(&l) }) {
				return fault.New(fault.Invalid, "there is no list %s you may read", st.listed())
			}
		case opThread:
			found := false
			for i := 0; i < len(asked) && !found; i++ {
				posts, err := r.postNamed(ctx, asked[i].ID, st.text)
				if err != nil {
					return err
				}
				found = len(posts) > 0
			}
			if !found {
				return fault.New(fault.Invalid, "there is no post %s here: behind thread: belongs the Message-ID or the number of a post", st.text)
			}
		}
	}
	return nil
}

// required gives the conditions that every post found must meet.
func (q Query) required() []step {
	var all [][]step // of each result so far
	for _, st := range q.steps {
		switch st.op {
		case opAnd, opOr, opNot:
			var of []step
			if st.op == opAnd {
				of = slices.Concat(all[len(all)-st.n:]...)
			}
			all = append(all[:len(all)-st.n], of)
		default:
			all = append(all, []step{st})
		}
	}
	return slices.Concat(all...)
}

func (r *Reader) threadOf(s *searcher, thread model.PostID) (ids []model.PostID, err error) {
	if t, ok := r.store.(Threaded); ok {
		return t.PostsOfThread(s.ctx, thread)
	}
	err = r.store.ThreadNodes(s.ctx, s.list, func(n *model.ThreadNode) error {
		if n.ThreadID == thread && n.PostID != 0 {
			ids = append(ids, n.PostID)
		}
		return nil
	})
	return ids, err
}
