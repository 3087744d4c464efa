package archive

import (
	"slices"

	"plenary/internal/model"
)

// follow hangs the containers elsewhere of which a guess or a moderator says
// so. All are taken down first: who was moved below a former child must not find
// it above. A guess gives way to what moderators and references say.
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
	for _, guessed := range []bool{false, true} {
		for i, told := range t.links.told {
			if self[i] < 0 || (told.link == model.LinkGuessed) != guessed {
				continue
			}
			switch parent := t.container(told.parent); {
			case parent >= 0:
				if root(parent) != self[i] {
					t.up[self[i]], top[self[i]] = parent, parent
				}
			case told.link == model.LinkModerator && told.parent.key == 0:
				t.apart[self[i]] = true
			}
		}
	}
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
