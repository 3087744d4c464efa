package smtpin

import (
	"context"
	"errors"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"plenary/internal/fault"
)

// mechLogin is obsolete, but what some mail programs speak only.
const mechLogin = "LOGIN"

// AuthMechanisms are those offered now: none without TLS, unless the client
// is this machine (RFC 4954 4: passwords must not go in the clear).
func (s *session) AuthMechanisms() []string {
	if !s.mayAuth() {
		return nil
	}
	return []string{sasl.Plain, mechLogin}
}

func (s *session) mayAuth() bool {
	return s != nil && s.srv.opt.Authenticator != nil && (s.w.tls || s.w.near || s.srv.opt.AllowInsecureAuth)
}

// Auth starts one exchange (RFC 4954 4).
func (s *session) Auth(mech string) (sasl.Server, error) {
	switch {
	case s.srv.opt.Authenticator == nil:
		return nil, reply(502, smtp.EnhancedCode{5, 5, 1}, "AUTH is not available here")
	case !s.mayAuth():
		return nil, reply(538, smtp.EnhancedCode{5, 7, 11}, "Start TLS first, passwords must not travel in the clear")
	case s.busy():
		return nil, reply(503, smtp.EnhancedCode{5, 5, 1}, "AUTH must come before MAIL")
	case mech == sasl.Plain:
		return safeSASL{sasl.NewPlainServer(func(identity, username, password string) error {
			if identity != "" && identity != username {
				return s.authFailed(fault.New(fault.Forbidden, "acting for another account is not possible"))
			}
			return s.authenticate(username, password)
		})}, nil
	case mech == mechLogin:
		return safeSASL{&loginServer{authenticate: s.authenticate}}, nil
	}
	return nil, reply(504, smtp.EnhancedCode{5, 5, 4}, "This mechanism is not known here, use PLAIN or LOGIN")
}

func (s *session) authenticate(username, password string) error {
	ctx, cancel := context.WithTimeout(s.w.ctx, lookupTimeout)
	defer cancel()
	var account string
	err := s.contain("Authenticate", func() (err error) {
		account, err = s.srv.opt.Authenticator.Authenticate(ctx, username, password)
		if err == nil && account == "" {
			err = errors.New("the authenticator gave no account")
		}
		return err
	})
	if err != nil {
		return s.authFailed(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account = account
	return nil
}

// authFailed says no: always in the same words, so that nothing tells a wrong
// name from a wrong password.
func (s *session) authFailed(err error) error {
	s.srv.note("AUTH", err, "peer", s.w.peer)
	switch fault.KindOf(err) {
	case fault.Internal, fault.Temporary, fault.StorageFull:
		return reply(454, smtp.EnhancedCode{4, 7, 0}, "Authentication is not possible now, please try again later")
	}
	s.srv.log.Info("authentication failed", "peer", s.w.peer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed++; s.failed >= maxAuthFailures {
		s.w.leaving = true
		return reply(421, smtp.EnhancedCode{4, 7, 0}, "Too many failed attempts, closing the connection")
	}
	return reply(535, smtp.EnhancedCode{5, 7, 8}, "The user name or the password is wrong")
}

// safeSASL lets only replies of ours through: go-smtp sends any other error's
// text to the peer, and as a temporary failure.
type safeSASL struct{ sasl.Server }

// Next takes one step of the exchange.
func (s safeSASL) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = s.Server.Next(response)
	var r *smtp.SMTPError
	if err != nil && !errors.As(err, &r) {
		r = reply(501, smtp.EnhancedCode{5, 5, 2}, "The response does not make sense")
	}
	if r != nil {
		return nil, true, r
	}
	return challenge, done, nil
}

// loginServer is the server's half of LOGIN, which go-sasl does not have: it
// asks for the name, then for the password.
type loginServer struct {
	authenticate func(username, password string) error
	username     string
	named        bool
	asked        bool
}

// Next takes one step of the exchange; response is nil at the start when the
// client gave no initial response.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil && !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	case !l.named:
		l.asked, l.named, l.username = true, true, string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.authenticate(l.username, string(response))
}
