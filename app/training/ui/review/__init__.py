"""The review queue of a training's data: row by row, by keyboard, with the source beside it."""
