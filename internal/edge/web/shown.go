package web

import (
	"net/url"
	"strings"

	"plenary/internal/list/compose"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// shown is a list as the pages show it.
type shown struct{ *model.List }

// At is the address of a function of the list as people read it; "" is the
// posting address.
func (l shown) At(function string) string { return l.at(l.Local, function).Unicode() }

// Mailto is the link that writes to it: in ASCII, as in the header of the copies,
// for any mail program can send to that.
func (l shown) Mailto(function string) string {
	return "mailto:" + l.at(address.ASCIIName(l.Local), function).String()
}

func (l shown) at(local, function string) address.Address {
	if function != "" {
		local += "-" + function
	}
	return address.Address{Local: local, Domain: l.Domain}
}

// Page is the path of the list's page, as List-Archive gives it.
func (l shown) Page() string { return "/list/" + url.PathEscape(l.Address()) }

// EditorsPost tells a list whose copies say List-Post: NO.
func (l shown) EditorsPost() bool { return compose.Snapshot(l.List, "", "").Announcement }

// ModeratorsAgree tells a list where joining takes more than an answer.
func (l shown) ModeratorsAgree() bool { return l.JoinPolicy == model.JoinConfirmModerate }

// OwnersAdd tells a list nobody can ask to join.
func (l shown) OwnersAdd() bool { return l.JoinPolicy == model.JoinClosed }

// shownSubject is what a link or a headline says of a subject.
func shownSubject(subject string) string {
	if strings.TrimSpace(subject) == "" {
		return "(no subject)"
	}
	return subject
}
