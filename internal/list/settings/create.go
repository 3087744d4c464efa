package settings

import (
	"context"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Create stores a new list, whatever the door: its address must be fit for a list
// (Invalid), and be neither taken nor an address of another list's functions, nor
// make one of its own functions another list's address (Conflict). An exact name
// wins over every function, so talk-join beside talk would take the address by
// which people join talk. The trace says who made it and what differs from a new
// list of its kind; by is an address, or "cli".
func Create(ctx context.Context, s Store, l *model.List, by string) error {
	if err := CheckAddress(l.Local, l.Domain); err != nil {
		return err
	}
	there, err := s.FindList(ctx, l.Local, l.Domain)
	if err != nil {
		return err
	}
	if there != nil {
		return fault.New(fault.Conflict, "there is a list %s already; plenary list set changes it", l.Address())
	}
	for _, base := range bases(l.Local) {
		other, err := s.FindList(ctx, base, l.Domain)
		if err != nil {
			return err
		}
		if other != nil {
			return fault.New(fault.Conflict, "%s is an address of the list %s, which would lose it; give the new list another name", l.Address(), other.Address())
		}
	}
	for _, name := range functionNames(l.Local) {
		other, err := s.FindList(ctx, name, l.Domain)
		if err != nil {
			return err
		}
		if other != nil {
			return fault.New(fault.Conflict, "the new list %s could not have the address %s, which is a list itself; give the new list another name", l.Address(), other.Address())
		}
	}
	return s.Together(ctx, func(ctx context.Context) error {
		if err := s.CreateList(ctx, l); err != nil {
			return err
		}
		e := event(EventCreated, l, by)
		e.Detail = strings.TrimSuffix("kind="+kindOf(l)+", "+model.ChangedText(differences(New(l.Kind, l.Local, l.Domain), l)), ", ")
		return s.SaveEvent(ctx, e)
	})
}

func kindOf(l *model.List) string {
	kind, _ := Get(l, "kind") // the table has it
	return kind
}

// bases are the names of lists of which local is a function.
func bases(local string) []string {
	var out []string
	for _, word := range model.Functions() {
		if base, ok := strings.CutSuffix(local, "-"+word); ok && base != "" {
			out = append(out, base)
		}
	}
	if base, ok := strings.CutPrefix(local, model.OwnerPrefix); ok && base != "" {
		out = append(out, base)
	}
	return out
}

// functionNames are the functions of a list that could be names of lists.
func functionNames(local string) []string {
	out := []string{model.OwnerPrefix + local}
	for _, word := range model.Functions() {
		out = append(out, local+"-"+word)
	}
	return out
}
