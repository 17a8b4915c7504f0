"""What pages ask of the window around them, as one object that every page is given."""

from PySide6.QtCore import QObject, Signal


class Navigation(QObject):
    """Carry requests from any widget straight to the window, which alone knows the other pages.

    Widgets emit these signals; the main window and the composition root connect them.
    """

    page_requested = Signal(str)  # ask | documents | models | training | evaluation | settings | bin | search | batch
    settings_requested = Signal(str)  # a section of the settings: models | network | training | presets
    answering_requested = Signal()  # how the open conversation is answered
    conversation_requested = Signal(int)  # id of a conversation to open
    message_requested = Signal(int, str)  # id of a message to open, and the words to mark in it
    search_closed = Signal()  # back to the page before the search
    restore_requested = Signal(object)  # ids of conversations, out of the bin
    export_requested = Signal()  # of the open conversation
    starter_requested = Signal()  # add the trial model
    model_file_requested = Signal()  # choose a GGUF file to add
    first_run_requested = Signal()  # show the guide
    log_requested = Signal()  # open the folder of the logs
    undo_offered = Signal(str, object)  # what was done, and a function that undoes it
    problem_occurred = Signal(object)  # AppError
    work_ended = Signal(str, float)  # which kind of work, in words, and the seconds it took
    reopened = Signal()  # from the window to the pages: it was closed while work went on, and is shown again
