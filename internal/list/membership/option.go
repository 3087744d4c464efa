package membership

import (
	"context"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// Option is what can be set for one person on one list.
type Option struct {
	Key     string
	Doc     string
	Choices []string // empty: free text, one line

	get func(*model.Subscriber) string
	set func(s *model.Subscriber, value, by string) bool
}

// Get gives the option's value as text that SetOption takes.
func (o *Option) Get(s *model.Subscriber) string { return o.get(s) }

// roleWords are the roles in the order they are shown.
var roleWords = []struct {
	word string
	role model.Role
}{{"subscriber", model.RoleSubscriber}, {"editor", model.RoleEditor}, {"moderator", model.RoleModerator}, {"owner", model.RoleOwner}}

// RoleNames writes a set of roles as words, parted by commas.
func RoleNames(r model.Role) string {
	var out []string
	for _, w := range roleWords {
		if r&w.role != 0 {
			out = append(out, w.word)
		}
	}
	return strings.Join(out, ",")
}

// ParseRoles reads what RoleNames writes; not ok when a word is no role, or there
// is none.
func ParseRoles(v string) (roles model.Role, ok bool) {
	for _, word := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '+' }) {
		found := false
		for _, w := range roleWords {
			if w.word == strings.ToLower(word) {
				roles, found = roles|w.role, true
			}
		}
		if !found {
			return 0, false
		}
	}
	return roles, roles != 0
}

var deliveryWords = [...]string{model.DeliveryEnabled: "on", model.DeliveryOffBySubscriber: "off-by-subscriber",
	model.DeliveryOffByBounces: "off-by-bounces", model.DeliveryOffByModerator: "off-by-moderator"}

// setDelivery takes the words of the states, which say who turned delivery off,
// and "off": by whoever asks, the person herself or somebody who runs the list.
func setDelivery(s *model.Subscriber, v, by string) bool {
	for i, w := range deliveryWords {
		if w == v {
			s.DeliveryStatus = model.DeliveryStatus(i) //nolint:gosec // an index of four
			return true
		}
	}
	if v != "off" {
		return false
	}
	s.DeliveryStatus = model.DeliveryOffByModerator
	if by == s.EmailKey {
		s.DeliveryStatus = model.DeliveryOffBySubscriber
	}
	return true
}

// Options is the table of what can be set for one person.
func Options() []Option {
	return []Option{
		{Key: "name", Doc: "the display name",
			get: func(s *model.Subscriber) string { return s.Name },
			set: func(s *model.Subscriber, v, _ string) bool { s.Name = displayName(v); return true }},
		{Key: "roles", Doc: "subscriber, editor, moderator, owner; several parted by commas, in place of those there were",
			get: func(s *model.Subscriber) string { return RoleNames(s.Roles) },
			set: func(s *model.Subscriber, v, _ string) bool {
				roles, ok := ParseRoles(v)
				if ok {
					s.Roles = roles
				}
				return ok
			}},
		{Key: "delivery", Doc: "whether posts are sent", Choices: []string{"on", "off"},
			get: func(s *model.Subscriber) string {
				return deliveryWords[s.DeliveryStatus%model.DeliveryStatus(len(deliveryWords))]
			},
			set: setDelivery},
		{Key: "moderation", Doc: "what happens to the person's posts; default: what the list does with subscribers' posts",
			Choices: []string{"default", "accept", "hold", "reject", "discard"},
			get: func(s *model.Subscriber) string {
				if s.Moderation == model.Defer {
					return "default"
				}
				return s.Moderation.String()
			},
			set: func(s *model.Subscriber, v, _ string) bool {
				a, ok := model.ParseAction(v)
				if v == "default" {
					a, ok = model.Defer, true
				}
				if ok {
					s.Moderation = a
				}
				return ok
			}},
	}
}

// FindOption finds an option by its keyword, in any case, with - or _; NotFound
// when there is none.
func FindOption(key string) (*Option, error) {
	key = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(key)), "_", "-")
	all := Options()
	var keys []string
	for i := range all {
		if all[i].Key == key {
			return &all[i], nil
		}
		keys = append(keys, all[i].Key)
	}
	return nil, fault.New(fault.NotFound, "there is no option %q; there are %s", key, strings.Join(keys, ", "))
}

// SetOption changes one option of a person at the word of by; NotFound for an
// unknown keyword, Invalid for a value that makes no sense. It stores nothing.
func SetOption(s *model.Subscriber, p model.Pair, by string) error {
	o, err := FindOption(p.Key)
	if err != nil {
		return err
	}
	value := strings.TrimSpace(p.Value)
	if len(o.Choices) > 0 {
		value = strings.ToLower(value)
	}
	if o.set(s, value, by) {
		return nil
	}
	want := o.Doc
	if len(o.Choices) > 0 {
		want = strings.Join(o.Choices, ", ")
	}
	return fault.New(fault.Invalid, "%s cannot be %q; say one of: %s", o.Key, value, want)
}

// Set changes options of somebody on a list, all or none, and stores them; its
// errors are those of SetOption, and NotFound when the address is not on the list.
// The trace says what became different, and who wanted it. When nothing does,
// nothing is written.
func (s *Service) Set(ctx context.Context, l *model.List, a address.Address, values []model.Pair, by string) error {
	return s.Store.Together(ctx, func(ctx context.Context) error {
		was, err := s.Store.FindSubscriber(ctx, l.ID, a.Key())
		if err != nil {
			return err
		}
		if was == nil {
			return absent(l, a)
		}
		wanted := *was
		for _, v := range values {
			if err := SetOption(&wanted, v, by); err != nil {
				return err
			}
		}
		changed := differences(was, &wanted)
		if len(changed) == 0 {
			return nil
		}
		if err := s.Store.SaveSubscriber(ctx, &wanted); err != nil {
			return err
		}
		return s.note(ctx, l, model.Event{Kind: "member.changed", Actor: by, EmailKey: was.EmailKey, Detail: model.ChangedText(changed)})
	})
}

// differences gives the options that are not the same on two states of a row.
func differences(was, is *model.Subscriber) []model.Changed {
	var out []model.Changed
	for _, o := range Options() {
		if before, now := o.Get(was), o.Get(is); before != now {
			out = append(out, model.Changed{Key: o.Key, Was: before, Is: now})
		}
	}
	return out
}
