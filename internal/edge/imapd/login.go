package imapd

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-sasl"

	"plenary/internal/fault"
	"plenary/internal/model"
)

const needsTLS = " NO [PRIVACYREQUIRED] A password needs TLS: use STARTTLS or the TLS port\r\n"

// guardLogin keeps passwords off the open wire.
func (f *front) guardLogin(c *command) (pass bool) {
	if f.sess.loggedIn() || f.mayLogIn() {
		return true
	}
	f.put(c.tag + needsTLS)
	return false
}

// guardAuthenticate asks the client for what a mechanism needs (RFC 9051
// 6.2.2), so that go-imap gets one line: PLAIN or ANONYMOUS with its initial
// response. LOGIN becomes PLAIN. The mechanisms stand here, in
// AuthenticateMechanisms and Authenticate, and in the announcement: OAUTHBEARER
// (RFC 7628), which has one initial response as well, is one more in each, and one
// more question to Options.Auth.
func (f *front) guardAuthenticate(c *command) (pass bool, err error) {
	name, initial, given := bytes.Cut(c.args, []byte{' '})
	mech := strings.ToUpper(string(name))
	switch {
	case f.sess.loggedIn():
		return true, nil
	case mech != "PLAIN" && mech != "LOGIN" && mech != "ANONYMOUS":
		f.put(c.tag + " NO [CANNOT] There are PLAIN, LOGIN and ANONYMOUS\r\n")
		return false, nil
	case mech != "ANONYMOUS" && !f.mayLogIn():
		f.put(c.tag + needsTLS)
		return false, nil
	}
	var said string
	if mech == "LOGIN" {
		said, err = f.askLogin(initial, given)
	} else {
		said, err = f.askOnce(initial, given)
	}
	var bad *syntaxError
	if errors.As(err, &bad) {
		bad.tag = c.tag
		f.refuse(bad)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if mech == "LOGIN" {
		mech = "PLAIN"
	}
	code := base64.StdEncoding.EncodeToString([]byte(said))
	if code == "" {
		code = "="
	}
	c.args = []byte(mech + " " + code)
	return true, nil
}

func (f *front) askOnce(initial []byte, given bool) (string, error) {
	if given {
		return saslText(initial)
	}
	return f.ask("")
}

func (f *front) askLogin(initial []byte, given bool) (string, error) {
	user, err := saslText(initial)
	if !given {
		user, err = f.ask("Username:")
	}
	if err != nil {
		return "", err
	}
	password, err := f.ask("Password:")
	if err != nil {
		return "", err
	}
	if strings.Contains(user+password, "\x00") {
		return "", &syntaxError{text: "A name or password holds no NUL"}
	}
	return "\x00" + user + "\x00" + password, nil
}

// ask sends a challenge and reads the answer.
func (f *front) ask(challenge string) (string, error) {
	f.put("+ " + base64.StdEncoding.EncodeToString([]byte(challenge)) + "\r\n")
	line, err := f.readLine(f.srv.times.rest, 2*maxLiteral)
	if err != nil {
		return "", err
	}
	if string(line) == "*" {
		return "", &syntaxError{text: "AUTHENTICATE was cancelled"}
	}
	return saslText(line)
}

// saslText decodes an answer; "=" is an empty one (RFC 4959).
func saslText(b []byte) (string, error) {
	if string(b) == "=" {
		return "", nil
	}
	text, err := base64.StdEncoding.DecodeString(string(b))
	if err != nil {
		return "", &syntaxError{text: "That is not base64"}
	}
	return string(text), nil
}

// AuthenticateMechanisms are the mechanisms go-imap may be asked for.
func (s *session) AuthenticateMechanisms() []string { return []string{sasl.Plain, sasl.Anonymous} }

// Authenticate runs a mechanism whose one response is there already.
func (s *session) Authenticate(mech string) (sasl.Server, error) {
	if mech == sasl.Anonymous {
		return sasl.NewAnonymousServer(func(string) error { return s.enter(model.Actor{Anonymous: true}) }), nil
	}
	return sasl.NewPlainServer(func(identity, user, password string) error {
		if identity != "" && !strings.EqualFold(identity, user) {
			return no("AUTHORIZATIONFAILED", "You can only log in as yourself")
		}
		return s.Login(user, password)
	}), nil
}

// Login checks a name and an app password; "anonymous" needs none (RFC 9051
// 6.2.3, RFC 4505). Each refusal takes its time, and after some the connection
// ends.
func (s *session) Login(user, password string) error {
	if strings.EqualFold(user, "anonymous") {
		return s.enter(model.Actor{Anonymous: true})
	}
	srv := s.front.srv
	if srv.fails.many(s.front.peer, srv.opt.Now(), srv.times.window) {
		return no(imap.ResponseCodeUnavailable, "There were too many wrong passwords from your address, please try again later")
	}
	ctx, cancel := context.WithTimeout(s.ctx, srv.times.login)
	defer cancel()
	since := srv.revocations.Load()
	who, err := srv.opt.Auth.Authenticate(ctx, user, password)
	switch fault.KindOf(err) {
	case fault.Internal, fault.Temporary:
		if err != nil {
			return s.failed("log in", err)
		}
		if err := s.enter(who); err != nil {
			return err
		}
		s.hold(who.Password, since)
		return nil
	case fault.TooMany:
		return no(imap.ResponseCodeUnavailable, fault.Text(err))
	}
	s.failures++
	srv.opt.Metrics.Login("refused")
	srv.fails.add(s.front.peer, srv.opt.Now(), srv.times.window)
	srv.opt.Log.Info("imap: login refused", "peer", s.front.RemoteAddr().String(), "user", clip(user))
	s.pause(srv.times.failure)
	if s.failures >= maxFailures {
		s.front.put("* BYE Too many wrong passwords\r\n")
		s.front.end(errEnd)
	}
	return no(imap.ResponseCodeAuthenticationFailed, "That address and app password do not belong together")
}

func (s *session) enter(who model.Actor) error {
	if !s.front.srv.joins(who.AccountID) {
		s.front.srv.opt.Metrics.Login("refused")
		return no(imap.ResponseCodeLimit, "You have too many connections open, please close some")
	}
	s.who, s.in = who, true
	if who.Anonymous {
		s.front.srv.opt.Metrics.Login("anonymous")
	} else {
		s.front.srv.opt.Metrics.Login("ok")
	}
	return nil
}

// joins counts a person's connection in, unless she has too many. Nobody in
// particular is counted by address only.
func (s *Server) joins(account int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if account == 0 {
		return true
	}
	if s.perPerson[account] >= maxPerPerson {
		return false
	}
	s.perPerson[account]++
	return true
}

// parts counts it out.
func (s *Server) parts(account int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if account == 0 {
		return
	}
	if s.perPerson[account]--; s.perPerson[account] <= 0 {
		delete(s.perPerson, account)
	}
}

// pause waits, no longer than the connection lives.
func (s *session) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

func clip(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	return strings.ToValidUTF8(s, "?")
}
