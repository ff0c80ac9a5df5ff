"""What Streamlit runs for every view of the page: one line, all else lies in functions."""

from rag.ui.navigation import show

show()
