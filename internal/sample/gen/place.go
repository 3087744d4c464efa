package gen

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// place settles what the header of m says about time, subject and thread.
func (b *builder) place(m *Message) (err error) {
	m.client = m.Author.client
	if name := m.set["client"]; name != "" {
		if m.client, err = findClient(name); err != nil {
			return err
		}
	}
	m.Date = m.Arrived
	if s := m.set["clock"]; s != "" {
		off, err := time.ParseDuration(s)
		if err != nil {
			return err
		}
		m.Date = m.Date.Add(off)
	}
	m.Lang = first(m.set["lang"], m.Author.lang)
	m.Subject = m.set["subject"]
	m.ID = messageID(m.client.ids, m.Key, domain(m.Author.Address), m.Arrived)
	return b.placeAnswer(m)
}

func (b *builder) placeAnswer(m *Message) error {
	re := m.set["re"]
	if re == "" {
		if m.Subject == "" {
			return fmt.Errorf("a first message needs a subject")
		}
		return nil
	}
	m.Broken = m.set["refs"] == "none" || m.set["refs"] == "parentless"
	if at, ok := strings.CutPrefix(re, "ghost:"); ok { // ghost:KEY@DOMAIN
		key, dom, _ := strings.Cut(at, "@")
		m.Ghost, m.Parent = true, messageID("desk", "ghost "+key, dom, m.Arrived)
		m.chain = []string{m.Parent}
		return nil
	}
	parent := b.byKey[re]
	if parent == nil {
		return fmt.Errorf("no earlier message %q", re)
	}
	m.Parent = parent.ID
	m.chain = append(append(m.chain, parent.chain...), parent.ID)
	if m.Subject == "" {
		m.Subject = m.Author.reply + " " + bare(parent.Subject)
	}
	return nil
}

// bare takes the reply prefixes off a subject.
func bare(s string) string {
	for {
		head, rest, ok := strings.Cut(s, ":")
		switch strings.ToLower(strings.TrimSpace(head)) {
		case "re", "aw", "sv", "odp", "rép", "απ", "rv", "antw", "fwd", "رد":
			if ok {
				s = strings.TrimSpace(rest)
				continue
			}
		}
		return s
	}
}

// digest is the source of everything that looks random.
func digest(key, what string) []byte {
	sum := sha256.Sum256([]byte(what + "\x00" + key))
	return sum[:]
}

func messageID(style, key, dom string, at time.Time) string {
	sum := digest(key, "id")
	h := hex.EncodeToString(sum)
	uuid := h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
	switch style {
	case "office":
		return fmt.Sprintf("%s$%s$%s$@%s", h[:8], h[8:16], h[16:24], dom)
	case "web":
		return "CAH" + base64.RawURLEncoding.EncodeToString(sum) + "@mail.example.net"
	case "console":
		return fmt.Sprintf("%s.GA%d@%s", at.UTC().Format("20060102150405"), 1000+int(sum[0])*37, dom)
	case "pocket":
		return strings.ToUpper(uuid) + "@" + dom
	case "old":
		return fmt.Sprintf("%s.%d@%s", strings.ToUpper(h[:8]), 1000000+int(sum[4])*35393, dom)
	}
	return uuid + "@" + dom
}

func domain(address string) string { return address[strings.IndexByte(address, '@')+1:] }

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
