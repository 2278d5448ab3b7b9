"""Operations from the source code of services, which is read and never run."""
