package pulsar

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Who asks where the last record is while a slow answer is under way is not given that answer: it
// may be of before.
func TestAnswersAreNotOlderThanTheirQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Log{}
		var z lazyCall[int]
		last, asked := 1, 0
		ask := func() (int, error) {
			asked++
			found := last
			time.Sleep(time.Second) // the answer is on its way
			return found, nil
		}
		answers := make(chan int, 8)
		do := func() {
			found, err := z.do(t.Context(), l, ask)
			if err != nil {
				t.Error(err)
			}
			answers <- found
		}
		go do()
		synctest.Wait()
		last = 2 // a record came
		for range 3 {
			go do()
		}
		hurried, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := z.do(hurried, l, ask); err == nil {
			t.Error("an answer before any could come")
		}
		for i, want := range []int{1, 2, 2, 2} {
			if got := <-answers; got != want {
				t.Errorf("answer %d: the last record is %d, it was %d when that was asked", i, got, want)
			}
		}
		if asked != 2 {
			t.Errorf("the broker was asked %d times, want 2", asked)
		}
		l.group.Wait()
		do()
		if got := <-answers; got != 2 || asked != 3 {
			t.Errorf("asked again: %d after %d questions", got, asked)
		}
	})
}
