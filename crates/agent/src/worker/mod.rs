//! Makes true what is assigned and reports what is.
