package archive

import (
	"strconv"

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
func (s *searcher) inList(name string) (conj, error) {
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
	if name == Fold(l.Local) || name == Fold(l.Address()) {
		set = fullBitset(len(s.rows))
	}
	return conj{set: &set}, nil
}

// thread answers for the thread of one post.
func (s *searcher) thread(post string) (conj, error) {
	set := newBitset(len(s.rows))
	id := model.PostID(0)
	if n, err := strconv.ParseUint(post, 10, 32); err == nil {
		id = model.MakePostID(s.list, model.UID(n))
	} else if id, err = s.r.store.FindPostByKey(s.ctx, s.list, model.KeyMessageID, MessageKey(post)); err != nil {
		return conj{}, err
	}
	posts, err := s.r.store.FindPosts(s.ctx, []model.PostID{id})
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
