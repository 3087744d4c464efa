package smtpout

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"plenary/internal/outbound/queue"
)

// errHandshake is an offer of TLS that did not hold.
var errHandshake = errors.New("TLS")

// hello brings the connection to where letters can be sent.
func (c *conn) hello(ctx context.Context) error {
	r := c.relay
	if c.mode == TLSImplicit {
		if err := c.handshake(ctx, true); err != nil {
			return err
		}
	}
	if g, err := c.read(c.t.Greeting); err != nil {
		return fmt.Errorf("no greeting: %w", err)
	} else if g.code != 220 {
		return fmt.Errorf("greeted with %w", &queue.Refusal{Code: g.code, Reply: g.text})
	}
	if err := c.ehlo(); err != nil {
		return err
	}
	if c.mode == TLSRequired || (c.mode == TLSOpportunistic || c.mode == "") && c.ext.startTLS {
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	if r.Username == "" {
		return nil
	}
	if _, secure := c.nc.(*tls.Conn); !secure && c.mode != TLSNone {
		return errors.New("the peer offers no STARTTLS, and the password does not go in clear")
	}
	return c.auth()
}

func (c *conn) handshake(ctx context.Context, verify bool) error {
	cfg := c.relay.TLSConfig.Clone()
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(c.relay.Addr)
	}
	cfg.InsecureSkipVerify = cfg.InsecureSkipVerify || !verify
	tc := tls.Client(c.nc, cfg)
	ctx, cancel := context.WithTimeout(ctx, c.t.Dial)
	defer cancel()
	if err := tc.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	c.use(tc)
	return nil
}

// startTLS upgrades the connection and learns the extensions anew (RFC 3207
// 4.2). Octets that came with the reply were not protected: somebody put them
// there.
func (c *conn) startTLS(ctx context.Context) error {
	if !c.ext.startTLS {
		return errors.New("the peer offers no STARTTLS, and TLS is required")
	}
	r, err := c.command("STARTTLS")
	if err != nil {
		return err
	}
	if r.code != 220 {
		err := fmt.Errorf("STARTTLS was answered %s", r)
		if r.code == 421 || !c.relay.maybeClear(c.mode) {
			return err
		}
		if c.relay.InClear != nil {
			c.relay.InClear(err)
		}
		return nil // it goes on in clear
	}
	if c.br.Buffered() > 0 {
		return fmt.Errorf("%w: octets before the TLS handshake", errGarbage)
	}
	// Without a password, encryption with anybody is better than none.
	if err := c.handshake(ctx, c.mode == TLSRequired || c.relay.Username != ""); err != nil {
		return err
	}
	return c.ehlo()
}

// ehlo introduces us and reads the extensions. A peer that knows only HELO has
// none.
func (c *conn) ehlo() error {
	c.buf = append(append(append(c.buf, "EHLO "...), c.relay.Hello...), '\r', '\n')
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(c.t.Command)); err != nil {
		return err
	}
	var lines []string
	r, err := readReply(c.br, nil, &lines)
	if err != nil {
		return err
	}
	c.ext = extensions{}
	if r.code == 250 {
		c.ext = parseExtensions(lines)
		k, addr := c.relay.Known, c.relay.Addr
		c.ext.pipelining = c.ext.pipelining && !k.avoids(addr, pipelining)
		c.ext.chunking = c.ext.chunking && !k.avoids(addr, chunking)
		return nil
	}
	if r.code < 500 || r.code == 554 {
		return fmt.Errorf("EHLO was answered %w", &queue.Refusal{Code: r.code, Reply: r.text})
	}
	if r, err = c.command("HELO " + c.relay.Hello); err != nil {
		return err
	}
	if r.code != 250 {
		return fmt.Errorf("HELO was answered %s", r)
	}
	return nil
}

// parseExtensions reads the lines after EHLO's first. Peers spell the keywords
// in either case (RFC 5321 4.1.1.1).
func parseExtensions(lines []string) extensions {
	var x extensions
	for _, l := range lines[min(1, len(lines)):] {
		words := strings.Fields(strings.ToUpper(l))
		if len(words) == 0 {
			continue
		}
		switch key := words[0]; {
		case key == "PIPELINING":
			x.pipelining = true
		case key == "CHUNKING":
			x.chunking = true
		case key == "8BITMIME":
			x.eightBit = true
		case key == "SMTPUTF8":
			x.utf8 = true
		case key == "STARTTLS":
			x.startTLS = true
		case key == "SIZE":
			x.sizes = true
			if len(words) > 1 {
				x.size, _ = strconv.ParseInt(words[1], 10, 64)
			}
		case key == "AUTH":
			x.auth = append(x.auth, words[1:]...)
		case strings.HasPrefix(key, "AUTH="): // an old spelling
			x.auth = append(append(x.auth, key[len("AUTH="):]), words[1:]...)
		}
	}
	return x
}

// auth logs in by PLAIN or LOGIN.
func (c *conn) auth() error {
	has := func(m string) bool {
		for _, a := range c.ext.auth {
			if a == m {
				return true
			}
		}
		return false
	}
	b64 := base64.StdEncoding.EncodeToString
	var lines []string
	switch u, p := c.relay.Username, c.relay.Password; {
	case has("PLAIN"):
		lines = []string{"AUTH PLAIN " + b64([]byte("\x00"+u+"\x00"+p))}
	case has("LOGIN"):
		lines = []string{"AUTH LOGIN", b64([]byte(u)), b64([]byte(p))}
	default:
		return fmt.Errorf("the peer offers neither AUTH PLAIN nor LOGIN but %v", c.ext.auth)
	}
	for i, l := range lines {
		r, err := c.command(l)
		if err != nil {
			return err
		}
		want := 334
		if i == len(lines)-1 {
			want = 235
		}
		if r.code != want {
			return fmt.Errorf("AUTH was answered %w", &queue.Refusal{Code: r.code, Reply: r.text, Login: true})
		}
	}
	return nil
}
