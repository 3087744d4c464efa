package accept

import "testing"

// TestMachinesOfAList: nobody writes from the list or from what answers by itself;
// people do from the addresses that reach people, and from lists with longer names.
func TestMachinesOfAList(t *testing.T) {
	for local, machine := range map[string]bool{
		"talk": true, "talk+anything": true, "talk-join": true, "talk-subscribe": true, "talk-signoff-request": true, "talk-help": true, "talk-info": true,
		"talk-confirm": true, "talk-confirm+abc": true, "talk-confirm-abc": true, "talk+confirm-abc": true, "talk-bounces-7": true, "talk-request": true,
		"talk-owner": false, "talk+owner": false, "talk-owner+x": false, "talk-editors": false, "talk-moderators": false,
		"talker": false, "talk-help-desk": false, "talk-ative": false, "small-talk": false,
	} {
		if got := isMachineOf("talk", local); got != machine {
			t.Errorf("%s is taken for a machine of talk: %v", local, got)
		}
	}
}
