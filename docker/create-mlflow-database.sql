CREATE DATABASE mlflow OWNER hardcase;
