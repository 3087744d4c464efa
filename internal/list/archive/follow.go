package archive

import (
	"slices"

	"plenary/internal/model"
)

// follow hangs the containers elsewhere of which a guess or a moderator says
// so. All are taken down first: who was moved below a former child must not find
// it above. A guess gives way to what moderators and references say, and these to
// moderators.
func (t *threading) follow() {
	if len(t.links.told) == 0 {
		return
	}
	t.apart = map[int32]bool{}
	self := make([]int32, len(t.links.told))
	for i, told := range t.links.told {
		if self[i] = t.container(told.self); self[i] >= 0 {
			t.up[self[i]] = -1
		}
	}
	ruled := map[int32]bool{}
	top := slices.Clone(t.up)
	root := func(c int32) int32 {
		for top[c] >= 0 {
			if up := top[top[c]]; up >= 0 {
				top[c] = up
			}
			c = top[c]
		}
		return c
	}
	for _, link := range []model.Link{model.LinkQuoted, model.LinkModerator, model.LinkGuessed} {
		for i, told := range t.links.told {
			if self[i] < 0 || told.link != link {
				continue
			}
			switch parent := t.container(told.parent); {
			case parent >= 0:
				if root(parent) == self[i] {
					if link != model.LinkModerator || !t.part(self[i], parent, ruled) {
						continue
					}
					top = slices.Clone(t.up)
				}
				t.up[self[i]], top[self[i]] = parent, parent
				ruled[self[i]] = link == model.LinkModerator
			case told.link == model.LinkModerator && told.parent.key == 0:
				t.apart[self[i]] = true
			}
		}
	}
}

// part takes the weakest claim from between below and above, so that above can
// hang below it: Arrange opens loops at the same place. A way of nothing but
// rulings stays.
func (t *threading) part(above, below int32, ruled map[int32]bool) bool {
	weakest := int32(-1)
	for c := below; c != above; c = t.up[c] {
		if !ruled[c] && (weakest < 0 || t.weaker(c, weakest)) {
			weakest = c
		}
	}
	if weakest >= 0 {
		t.up[weakest] = -1
	}
	return weakest >= 0
}

// weaker reports whether the claim of a is weaker than that of b: who never came,
// then who was sent last.
func (t *threading) weaker(a, b int32) bool {
	x, y := t.node[a], t.node[b]
	if (x < 0) != (y < 0) {
		return x < 0
	}
	var s, r model.Instant
	if x >= 0 {
		s, r = t.rows[t.places[x]].SentAt, t.rows[t.places[y]].SentAt
	}
	return s > r || s == r && t.links.key(a) > t.links.key(b)
}

// container finds a place in the tree, -1 when it has none.
func (t *threading) container(p place) int32 {
	if i, ok := find(t.rows, p.post.UID()); ok && p.post != 0 {
		if at, ok := slices.BinarySearch(t.places, uint32(i)); ok {
			return t.own[at]
		}
	}
	if p.name != 0 {
		return int32(p.name)
	}
	return -1
}
