package imapd

import (
	"context"
	"errors"
	"time"
)

// Access says which app passwords were taken back, so that connections that were
// opened with one end at once, on whatever node that was done.
type Access interface {
	// WatchAccess gives a channel that receives after some were revoked.
	WatchAccess() (wake <-chan struct{}, cancel func())
	// RevokedPasswords are those of ids that are good no more.
	RevokedPasswords(ctx context.Context, ids []int64) ([]int64, error)
}

// errRevoked ends a connection whose app password was taken back.
var errRevoked = errors.New("imapd: the app password was revoked")

// watchAccess looks after each sign of a revocation who has to go, and now and
// then without one, until the server stops.
func (s *Server) watchAccess() {
	wake, cancel := s.opt.Access.WatchAccess()
	s.boxed.Add(1)
	go func() {
		defer s.boxed.Done()
		defer cancel()
		tick := time.NewTicker(s.times.look)
		defer tick.Stop()
		for {
			var again <-chan time.Time
			s.revocations.Add(1)
			if err := s.endRevoked(); err != nil && s.ctx.Err() == nil {
				s.opt.Log.Warn("imap: cannot look for revoked passwords", "error", err)
				again = time.After(lookAgain)
			}
			select {
			case <-s.ctx.Done():
				return
			case <-wake:
			case <-tick.C:
			case <-again:
			}
		}
	}()
}

// endRevoked ends the connections whose app password is good no more, after the
// command at hand.
func (s *Server) endRevoked() error {
	s.mu.Lock()
	by := map[int64][]*front{}
	for f, password := range s.holders {
		by[password] = append(by[password], f)
	}
	s.mu.Unlock()
	if len(by) == 0 {
		return nil
	}
	ids := make([]int64, 0, len(by))
	for id := range by {
		ids = append(ids, id)
	}
	revoked, err := s.opt.Access.RevokedPasswords(s.ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range revoked {
		for _, f := range by[id] {
			f.end(errRevoked)
		}
	}
	return nil
}

// hold notes the app password a connection was opened with. When there was a look
// for revoked ones since its check began, there is another.
func (s *session) hold(password int64, since int64) {
	srv := s.front.srv
	if password == 0 || srv.opt.Access == nil {
		return
	}
	srv.mu.Lock()
	srv.holders[s.front] = password
	srv.mu.Unlock()
	if srv.revocations.Load() == since {
		return
	}
	if err := srv.endRevoked(); err != nil { // the next look is not far
		srv.opt.Log.Warn("imap: cannot look for revoked passwords", "error", err)
	}
}
