package membership

import (
	"strings"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Option is what can be set for one person on one list.
type Option struct {
	Key     string
	Doc     string
	Choices []string // empty: free text, one line

	get func(*model.Subscriber) string
	set func(*model.Subscriber, string) bool
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

func parseRoles(v string) (roles model.Role, ok bool) {
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

var deliveryWords = [...]string{model.DeliveryEnabled: "on", model.DeliveryOffBySubscriber: "off",
	model.DeliveryOffByBounces: "off-by-bounces", model.DeliveryOffByModerator: "off-by-moderator"}

// Options is the table of what can be set for one person.
func Options() []Option {
	return []Option{
		{Key: "name", Doc: "the display name",
			get: func(s *model.Subscriber) string { return s.Name },
			set: func(s *model.Subscriber, v string) bool { s.Name = displayName(v); return true }},
		{Key: "roles", Doc: "subscriber, editor, moderator, owner; several parted by commas, in place of those there were",
			get: func(s *model.Subscriber) string { return RoleNames(s.Roles) },
			set: func(s *model.Subscriber, v string) bool {
				roles, ok := parseRoles(v)
				if ok {
					s.Roles = roles
				}
				return ok
			}},
		{Key: "delivery", Doc: "whether posts are sent", Choices: []string{"on", "off"},
			get: func(s *model.Subscriber) string {
				return deliveryWords[s.DeliveryStatus%model.DeliveryStatus(len(deliveryWords))]
			},
			set: func(s *model.Subscriber, v string) bool {
				for i, w := range deliveryWords {
					if w == v {
						s.DeliveryStatus = model.DeliveryStatus(i) //nolint:gosec // an index of four
						return true
					}
				}
				return false
			}},
		{Key: "moderation", Doc: "what happens to the person's posts; default: what the list does with subscribers' posts",
			Choices: []string{"default", "accept", "hold", "reject", "discard"},
			get: func(s *model.Subscriber) string {
				if s.Moderation == model.Defer {
					return "default"
				}
				return s.Moderation.String()
			},
			set: func(s *model.Subscriber, v string) bool {
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

// SetOption changes one option of a person; NotFound for an unknown keyword,
// Invalid for a value that makes no sense. The caller stores the row.
func SetOption(s *model.Subscriber, key, value string) error {
	key = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(key)), "_", "-")
	for _, o := range Options() {
		if o.Key != key {
			continue
		}
		if len(o.Choices) > 0 {
			value = strings.ToLower(value)
		}
		if !o.set(s, strings.TrimSpace(value)) {
			want := o.Doc
			if len(o.Choices) > 0 {
				want = strings.Join(o.Choices, ", ")
			}
			return fault.New(fault.Invalid, "%s cannot be %q; say one of: %s", key, value, want)
		}
		return nil
	}
	var keys []string
	for _, o := range Options() {
		keys = append(keys, o.Key)
	}
	return fault.New(fault.NotFound, "there is no option %q; there are %s", key, strings.Join(keys, ", "))
}
