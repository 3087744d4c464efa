package accept

import (
	"context"
	"fmt"
	"strings"

	"plenary/internal/mail/address"
)

// askLoop finds the marks every copy of ours carries. Delivered-To is no mark:
// a mail server in front of us writes it into first-time posts too.
//
// The message is refused, not dropped. A copy on its way in circles still has
// our bounce address as reverse-path, so the refusal comes back as evidence
// against the one subscriber whose address forwards to the list; and a person
// who redirected an old post by hand learns why it does not appear.
func askLoop(_ context.Context, c *Case) (bool, string, error) {
	reason := fmt.Sprintf("This message already went out through %s. To post it again, write a new message.", c.List.Address())
	for _, v := range c.Header.All("List-Id") {
		if id := angle(v); strings.EqualFold(id, c.List.ListID()) || strings.EqualFold(id, address.ASCIIName(c.List.Local)+"."+c.List.Domain) {
			return true, reason, nil
		}
	}
	own := address.Address{Local: c.List.Local, Domain: c.List.Domain}
	for _, name := range []string{"List-Post", "X-Loop", "X-BeenThere"} {
		for _, v := range c.Header.All(name) {
			v = strings.ToLower(v)
			if namesAddress(v, c.List.Address()) || namesAddress(v, own.Compatible().String()) {
				return true, reason, nil
			}
		}
	}
	return false, "", nil
}

// angle gives what stands in the last angle brackets, or all.
func angle(s string) string {
	open, end := strings.LastIndexByte(s, '<'), strings.LastIndexByte(s, '>')
	if open >= 0 && end > open {
		return strings.TrimSpace(s[open+1 : end])
	}
	return strings.TrimSpace(s)
}

// namesAddress finds an address that is not part of a longer one.
func namesAddress(s, address string) bool {
	for from := 0; ; {
		i := strings.Index(s[from:], address)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(address)
		if (start == 0 || !inAddress(s[start-1])) && (end == len(s) || !inAddress(s[end])) {
			return true
		}
		from = end
	}
}

// inAddress tells the characters that go on an address.
func inAddress(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(".-_+=%@", c) >= 0
}
