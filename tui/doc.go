// Package tui is the screen of `sandbox watch`: call rates, circuit breakers, pods and the running scenario.
//
//	telemetry.Feed ── read, one command per source ──▶ readMsg
//	                                                      │
//	          ┌──────────────── Model.Update ◀────────────┤
//	          ▼                                           │
//	health per source ── sceneMsg ──▶ panel.Update ◀── dataMsg
//	(loading, ready, stale, failed)        │ tea.Cmd: work for Bubble Tea; its message returns to all panels
//	          │                            ▼
//	          ▼                       panel.View
//	  header ─┴──────▶ canvas ◀───────────┘ ──▶ Model.View
//
// [Run] shows the screen until the user leaves it. [Ask] and [Still] read and draw it once, without a terminal.
//
// The sources are read concurrently, each at its own pace: after a failure the pause doubles, up to 10 s. The data of a source that fails or hangs
// stays on the screen, marked as stale, and its ages stop; the other panels stay live.
//
// A panel draws the data of one source. The catalog is slots in panel.go; a panel whose source is not in the feed is not shown. Panels are values:
// Update and SetSize return a changed copy, and View depends on nothing else, so a panel is only drawn again if something that it shows has changed.
// A file with a panel reads in the order messages, key map, styles, model, constructor, Update, View.
package tui
